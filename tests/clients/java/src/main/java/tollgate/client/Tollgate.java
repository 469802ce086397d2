package tollgate.client;

import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import tollgate.v1.Completion.CompleteRequest;
import tollgate.v1.Completion.CompleteResponse;
import tollgate.v1.Completion.CompletionSpec;
import tollgate.v1.CompletionServiceGrpc;
import tollgate.v1.CompletionServiceGrpc.CompletionServiceBlockingStub;

/**
 * Calls Tollgate: key, deadline, retries and typed errors. Make one and share it: it is safe for
 * threads. Short enough to copy.
 */
public final class Tollgate implements AutoCloseable {
  /**
   * gRPC retries on its own, within the deadline, and waits as the gateway tells it to. UNAVAILABLE
   * is the only code for that: with the gateway's ErrorInfo it means that nothing was charged.
   */
  private static final Map<String, ?> SERVICE_CONFIG =
      Map.of(
          "methodConfig",
          List.of(
              Map.of(
                  "name",
                  List.of(Map.of("service", CompletionServiceGrpc.SERVICE_NAME)),
                  "retryPolicy",
                  Map.of(
                      "maxAttempts", 4.0,
                      "initialBackoff", "0.2s",
                      "maxBackoff", "5s",
                      "backoffMultiplier", 2.0,
                      "retryableStatusCodes", List.of("UNAVAILABLE")))));

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final ManagedChannel channel;
  private final CompletionServiceBlockingStub completions;

  /** A client of the gateway at TOLLGATE_ADDRESS, with the key in TOLLGATE_API_KEY. */
  public static Tollgate fromEnvironment() {
    var address = System.getenv().getOrDefault("TOLLGATE_ADDRESS", "127.0.0.1:50051");
    return new Tollgate(address, System.getenv("TOLLGATE_API_KEY"));
  }

  public Tollgate(String address, String key) {
    channel =
        ManagedChannelBuilder.forTarget(address)
            // Plaintext is for loopback. Elsewhere leave this line out: TLS is the default, and
            // the key travels in the metadata.
            .usePlaintext()
            .defaultServiceConfig(SERVICE_CONFIG)
            .enableRetry()
            .build();
    var metadata = new Metadata();
    metadata.put(AUTHORIZATION, "Bearer " + key);
    completions =
        CompletionServiceGrpc.newBlockingStub(channel)
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  /**
   * Runs a call, which must end within `timeout`, waits and retries included. To cancel the
   * {@link io.grpc.Context} that it runs in hangs up; what the provider was already asked may still
   * be charged.
   */
  public CompleteResponse complete(CompletionSpec spec, Duration timeout) throws CallFailed {
    var request = CompleteRequest.newBuilder().setSpec(spec).build();
    try {
      return completions
          .withDeadlineAfter(timeout.toMillis(), TimeUnit.MILLISECONDS)
          .complete(request);
    } catch (StatusRuntimeException failed) {
      throw new CallFailed(failed);
    }
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}
