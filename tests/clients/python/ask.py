"""Asks one question: python ask.py "Name three rivers." """

import sys
import uuid

from tollgate.v1 import completion_pb2 as pb
from tollgate_client import CallFailed, Tollgate


def main():
    spec = pb.CompletionSpec(
        complexity=pb.COMPLEXITY_SIMPLE,
        max_output_tokens=100,
        # With a key a retry never pays twice, whatever the connection does.
        idempotency_key=str(uuid.uuid4()),
    )
    spec.messages.add(role=pb.ROLE_USER).parts.add(text=sys.argv[1])
    try:
        answer = Tollgate().complete(spec)
    except CallFailed as failed:
        wait = "" if failed.retry_after is None else f" (RetryInfo: {failed.retry_after:.1f} s)"
        sys.exit(f"{failed}{wait}")
    receipt = answer.receipt
    print("".join(part.text for part in answer.message.parts))
    print(
        f"{receipt.model}: {receipt.usage.input_tokens} tokens in, "
        f"{receipt.usage.output_tokens} out, {receipt.cost_nano_usd} nano-dollars"
    )


main()
