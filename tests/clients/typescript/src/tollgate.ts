// Calls Tollgate: key, deadline, retries and typed errors. Short enough to copy.
// The stubs (gen/) are generated from the .proto files: npm run generate.

import * as grpc from "@grpc/grpc-js";
import { ErrorInfo, QuotaFailure, RetryInfo } from "../gen/google/rpc/error_details.js";
import type { QuotaFailure_Violation } from "../gen/google/rpc/error_details.js";
import { Status } from "../gen/google/rpc/status.js";
import { CompleteRequest, CompletionServiceClient } from "../gen/tollgate/v1/completion.js";
import type {
  CompleteResponse,
  CompletionSpec,
  DeepPartial,
} from "../gen/tollgate/v1/completion.js";

/** The fields of a CompletionSpec that a call needs; the others have defaults. */
export type Spec = DeepPartial<CompletionSpec>;

// gRPC retries on its own, within the deadline, and waits as the gateway tells it to. UNAVAILABLE
// is the only code for that: with the gateway's ErrorInfo it means that nothing was charged.
const SERVICE_CONFIG = JSON.stringify({
  methodConfig: [
    {
      name: [{ service: "tollgate.v1.CompletionService" }],
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: "0.2s",
        maxBackoff: "5s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
});

/** A call that was not answered. Act on `code` and `reason`, never on the message. */
export class CallFailed extends Error {
  /** The gRPC code. */
  readonly code: grpc.status;
  /** One of docs/errors.md, such as "RATE_LIMITED"; empty: not the gateway's. */
  readonly reason: string = "";
  /** What the gateway adds, such as "resetTime". */
  readonly metadata: Record<string, string> = {};
  /** How long to wait; undefined: waiting does not help. */
  readonly retryAfterMs?: number;
  /** The limits and budgets that refused. */
  readonly violations: QuotaFailure_Violation[] = [];

  constructor(error: grpc.ServiceError) {
    super(error.message, { cause: error });
    this.code = error.code;
    const [status] = error.metadata.get("grpc-status-details-bin");
    const details = status instanceof Buffer ? Status.decode(status).details : [];
    for (const { typeUrl, value } of details) {
      if (typeUrl.endsWith("/google.rpc.ErrorInfo")) {
        ({ reason: this.reason, metadata: this.metadata } = ErrorInfo.decode(value));
      } else if (typeUrl.endsWith("/google.rpc.RetryInfo")) {
        const delay = RetryInfo.decode(value).retryDelay;
        if (delay) this.retryAfterMs = Number(delay.seconds) * 1e3 + delay.nanos / 1e6;
      } else if (typeUrl.endsWith("/google.rpc.QuotaFailure")) {
        this.violations = QuotaFailure.decode(value).violations;
      }
    }
  }
}

/** A team's client. Make one and share it. */
export class Tollgate {
  readonly #completions: CompletionServiceClient;
  readonly #metadata = new grpc.Metadata();

  constructor(
    address = process.env.TOLLGATE_ADDRESS ?? "127.0.0.1:50051",
    key = process.env.TOLLGATE_API_KEY,
  ) {
    // Plaintext is for loopback. Elsewhere: grpc.credentials.createSsl(), because the key travels
    // in the metadata.
    this.#completions = new CompletionServiceClient(address, grpc.credentials.createInsecure(), {
      "grpc.service_config": SERVICE_CONFIG,
    });
    this.#metadata.set("authorization", `Bearer ${key}`);
  }

  /**
   * Runs a call, which must end within `timeoutMs`, waits and retries included. To abort `signal`
   * hangs up; what the provider was already asked may still be charged. Fails with CallFailed.
   */
  complete(
    spec: Spec,
    { timeoutMs = 30_000, signal }: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<CompleteResponse> {
    return new Promise((resolve, reject) => {
      const call = this.#completions.complete(
        CompleteRequest.fromPartial({ spec }),
        this.#metadata,
        { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          signal?.removeEventListener("abort", hangUp);
          if (error) reject(new CallFailed(error));
          else resolve(answer);
        },
      );
      const hangUp = () => call.cancel();
      if (signal?.aborted) hangUp();
      else signal?.addEventListener("abort", hangUp);
    });
  }

  close(): void {
    this.#completions.close();
  }
}
