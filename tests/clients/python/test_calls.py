"""The Python caller against a real gateway, in front of a simulated provider."""

import json
import os
import threading
import unittest
import urllib.request

import grpc
from tollgate.v1 import completion_pb2 as pb
from tollgate_client import CallFailed, Tollgate


def spec(text, **target):
    target = target or {"complexity": pb.COMPLEXITY_SIMPLE}
    made = pb.CompletionSpec(max_output_tokens=100, **target)
    made.messages.add(role=pb.ROLE_USER).parts.add(text=text)
    return made


def times_seen(text):
    """How many requests with this text the simulated provider got."""
    with urllib.request.urlopen(os.environ["SIMULATOR_URL"] + "/simulator/faults") as answer:
        return next(rule["matched"] for rule in json.load(answer) if text in rule["rule"])


class Calls(unittest.TestCase):
    def client(self, key="TOLLGATE_API_KEY"):
        client = Tollgate(key=os.environ[key])
        self.addCleanup(client.close)
        return client

    def refused(self, client, asked):
        with self.assertRaises(CallFailed) as caught:
            client.complete(asked, timeout=10)
        return caught.exception

    def test_success_has_a_receipt(self):
        answer = self.client().complete(spec("Name three rivers."))
        self.assertTrue(answer.message.parts[0].text)
        self.assertEqual(answer.receipt.model, "gpt-3.5-turbo")
        usage = answer.receipt.usage
        self.assertGreater(usage.input_tokens, 0)
        self.assertGreater(usage.output_tokens, 0)
        # $0.50 and $1.50 per million tokens are 500 and 1,500 nano-dollars a token.
        cost = usage.input_tokens * 500 + usage.output_tokens * 1500
        self.assertEqual(answer.receipt.cost_nano_usd, cost)

    def test_rate_limit_says_when_to_come_back(self):
        client = self.client("HASTY_API_KEY")
        client.complete(spec("Name three rivers."))
        failed = self.refused(client, spec("Name three rivers."))
        self.assertEqual(failed.code, grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(failed.reason, "RATE_LIMITED")
        self.assertGreater(failed.retry_after, 1)
        self.assertEqual([subject for subject, _ in failed.violations], ["requests_per_minute"])

    def test_budget_refusal_says_when_it_resets(self):
        failed = self.refused(self.client("BROKE_API_KEY"), spec("Name three rivers."))
        self.assertEqual(failed.code, grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(failed.reason, "BUDGET_EXHAUSTED")
        self.assertIsNone(failed.retry_after)
        self.assertEqual([subject for subject, _ in failed.violations], ["budget:day"])
        self.assertTrue(failed.metadata["resetTime"])

    def test_unknown_model_is_not_found(self):
        failed = self.refused(self.client(), spec("Name three rivers.", model="gpt-99"))
        self.assertEqual(failed.code, grpc.StatusCode.NOT_FOUND)
        self.assertEqual(failed.reason, "UNKNOWN_MODEL")
        self.assertIsNone(failed.retry_after)

    def test_cancelled_call_is_released(self):
        client = self.client()
        call = client.start(spec("answer_never"))
        pause = threading.Event()
        for _ in range(200):
            if times_seen("answer_never"):
                break
            pause.wait(0.05)
        call.cancel()
        with self.assertRaises(CallFailed) as caught:
            call.result()
        self.assertEqual(caught.exception.code, grpc.StatusCode.CANCELLED)
        self.assertEqual(times_seen("answer_never"), 1)
        # The team may run one call at a time, so this one had to wait for the cancelled one's end.
        receipt = client.complete(spec("Name three rivers."), timeout=10).receipt
        day = next(budget for budget in receipt.budgets if budget.name == "day")
        self.assertEqual(day.held_nano_usd, receipt.held_nano_usd)

    def test_unavailable_is_retried(self):
        receipt = self.client().complete(spec("fail_once")).receipt
        self.assertEqual(times_seen("fail_once"), 2)
        # One attempt in this call: it was the client that called again.
        self.assertEqual(len(receipt.attempts), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
