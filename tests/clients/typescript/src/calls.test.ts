// The TypeScript caller against a real gateway, in front of a simulated provider.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { Complexity, Role } from "../gen/tollgate/v1/completion.js";
import { CallFailed, Tollgate } from "./tollgate.js";
import type { Spec } from "./tollgate.js";

const { TOLLGATE_ADDRESS, TOLLGATE_API_KEY, HASTY_API_KEY, BROKE_API_KEY, SIMULATOR_URL } =
  process.env;
const news = new Tollgate(TOLLGATE_ADDRESS, TOLLGATE_API_KEY);
const hasty = new Tollgate(TOLLGATE_ADDRESS, HASTY_API_KEY);
const broke = new Tollgate(TOLLGATE_ADDRESS, BROKE_API_KEY);
after(() => [news, hasty, broke].forEach((client) => client.close()));

function spec(text: string): Spec {
  return {
    target: { $case: "complexity", value: Complexity.COMPLEXITY_SIMPLE },
    messages: [{ role: Role.ROLE_USER, parts: [{ content: { $case: "text", value: text } }] }],
    maxOutputTokens: 100,
  };
}

async function refused(call: Promise<unknown>): Promise<CallFailed> {
  const failed = await call.then(
    () => assert.fail("it was answered"),
    (error: unknown) => error,
  );
  assert(failed instanceof CallFailed, String(failed));
  return failed;
}

/** How many requests with this text the simulated provider got. */
async function timesSeen(text: string): Promise<number> {
  const answer = await fetch(`${SIMULATOR_URL}/simulator/faults`);
  const rules = (await answer.json()) as { rule: string; matched: number }[];
  const rule = rules.find(({ rule }) => rule.includes(text));
  assert(rule);
  return rule.matched;
}

test("success has a receipt", async () => {
  const { message, receipt } = await news.complete(spec("Name three rivers."));
  assert(message?.parts[0]?.content?.value);
  assert.equal(receipt?.model, "gpt-3.5-turbo");
  const { inputTokens = 0n, outputTokens = 0n } = receipt.usage ?? {};
  assert(inputTokens > 0n && outputTokens > 0n);
  // $0.50 and $1.50 per million tokens are 500 and 1,500 nano-dollars a token.
  assert.equal(receipt.costNanoUsd, inputTokens * 500n + outputTokens * 1500n);
});

test("rate limit says when to come back", async () => {
  await hasty.complete(spec("Name three rivers."));
  const failed = await refused(hasty.complete(spec("Name three rivers.")));
  assert.equal(failed.code, status.RESOURCE_EXHAUSTED);
  assert.equal(failed.reason, "RATE_LIMITED");
  assert(failed.retryAfterMs !== undefined && failed.retryAfterMs > 1000);
  assert.deepEqual(
    failed.violations.map(({ subject }) => subject),
    ["requests_per_minute"],
  );
});

test("budget refusal says when it resets", async () => {
  const failed = await refused(broke.complete(spec("Name three rivers.")));
  assert.equal(failed.code, status.RESOURCE_EXHAUSTED);
  assert.equal(failed.reason, "BUDGET_EXHAUSTED");
  assert.equal(failed.retryAfterMs, undefined);
  assert.deepEqual(
    failed.violations.map(({ subject }) => subject),
    ["budget:day"],
  );
  assert(failed.metadata.resetTime);
});

test("unknown model is not found", async () => {
  const asked = spec("Name three rivers.");
  asked.target = { $case: "model", value: "gpt-99" };
  const failed = await refused(news.complete(asked));
  assert.equal(failed.code, status.NOT_FOUND);
  assert.equal(failed.reason, "UNKNOWN_MODEL");
  assert.equal(failed.retryAfterMs, undefined);
});

test("cancelled call is released", async () => {
  const hangUp = new AbortController();
  const failed = refused(news.complete(spec("answer_never"), { signal: hangUp.signal }));
  for (let tries = 0; (await timesSeen("answer_never")) === 0 && tries < 200; tries++) {
    await setTimeout(50);
  }
  hangUp.abort();
  assert.equal((await failed).code, status.CANCELLED);
  assert.equal(await timesSeen("answer_never"), 1);
  // The team may run one call at a time, so this one had to wait for the cancelled one's end.
  const { receipt } = await news.complete(spec("Name three rivers."), { timeoutMs: 10_000 });
  const day = receipt?.budgets.find(({ name }) => name === "day");
  assert.equal(day?.heldNanoUsd, receipt?.heldNanoUsd);
});

test("unavailable is retried", async () => {
  const { receipt } = await news.complete(spec("fail_once"));
  assert.equal(await timesSeen("fail_once"), 2);
  // One attempt in this call: it was the client that called again.
  assert.equal(receipt?.attempts.length, 1);
});
