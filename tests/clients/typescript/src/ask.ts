// Asks one question: npm run ask "Name three rivers."

import { randomUUID } from "node:crypto";
import { Complexity, Role } from "../gen/tollgate/v1/completion.js";
import { CallFailed, Tollgate } from "./tollgate.js";

const question = process.argv[2] ?? "Name three rivers.";
const tollgate = new Tollgate();
try {
  const { message, receipt } = await tollgate.complete({
    target: { $case: "complexity", value: Complexity.COMPLEXITY_SIMPLE },
    messages: [{ role: Role.ROLE_USER, parts: [{ content: { $case: "text", value: question } }] }],
    maxOutputTokens: 100,
    // With a key a retry never pays twice, whatever the connection does.
    idempotencyKey: randomUUID(),
  });
  console.log(message?.parts.map(({ content }) => content?.value).join(""));
  console.log(
    `${receipt?.model}: ${receipt?.usage?.inputTokens} tokens in, ` +
      `${receipt?.usage?.outputTokens} out, ${receipt?.costNanoUsd} nano-dollars`,
  );
} catch (failed) {
  if (!(failed instanceof CallFailed)) throw failed;
  const wait = failed.retryAfterMs === undefined ? "" : ` (RetryInfo: ${failed.retryAfterMs} ms)`;
  console.error(`${failed.reason}: ${failed.message}${wait}`);
  process.exitCode = 1;
} finally {
  tollgate.close();
}
