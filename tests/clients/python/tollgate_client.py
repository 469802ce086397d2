"""Calls Tollgate: key, deadline, retries and typed errors. Short enough to copy.

The stubs (tollgate.v1) are generated from the .proto files, see test.sh.
"""

import json
import os

import grpc
from google.rpc import error_details_pb2 as details
from grpc_status import rpc_status
from tollgate.v1 import completion_pb2 as pb
from tollgate.v1 import completion_pb2_grpc as rpc

# gRPC retries on its own, within the deadline, and waits as the gateway tells it to. UNAVAILABLE
# is the only code for that: with the gateway's ErrorInfo it means that nothing was charged.
SERVICE_CONFIG = json.dumps({
    "methodConfig": [{
        "name": [{"service": "tollgate.v1.CompletionService"}],
        "retryPolicy": {
            "maxAttempts": 4,
            "initialBackoff": "0.2s",
            "maxBackoff": "5s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }]
})


class CallFailed(Exception):
    """A call that was not answered. Act on `code` and `reason`, never on the message."""

    def __init__(self, code, message, status=None):
        super().__init__(message)
        self.code = code  # grpc.StatusCode
        self.reason = ""  # of docs/errors.md, such as "RATE_LIMITED"; empty: not the gateway's
        self.metadata = {}  # what the gateway adds, such as "resetTime"
        self.retry_after = None  # seconds; None: waiting does not help
        self.violations = []  # each limit or budget that refused: subject and description
        info, retry, quota = details.ErrorInfo(), details.RetryInfo(), details.QuotaFailure()
        for detail in status.details if status else []:
            if detail.Unpack(info):
                self.reason, self.metadata = info.reason, dict(info.metadata)
            elif detail.Unpack(retry):
                self.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
            elif detail.Unpack(quota):
                self.violations = [(v.subject, v.description) for v in quota.violations]

    def __str__(self):
        return f"{self.code.name} {self.reason}: {super().__str__()}"


class Call:
    """A call that runs."""

    def __init__(self, future):
        self._future = future

    def cancel(self):
        """Hangs up. What the provider was already asked may still be charged."""
        self._future.cancel()

    def result(self):
        """Waits for the answer: a CompleteResponse, or CallFailed."""
        try:
            return self._future.result()
        except grpc.FutureCancelledError:
            raise CallFailed(grpc.StatusCode.CANCELLED, "the caller cancelled") from None
        except grpc.RpcError as error:
            status = rpc_status.from_call(error)
            raise CallFailed(error.code(), error.details(), status) from None


class Tollgate:
    """A team's client. Make one and share it: it is safe for threads."""

    def __init__(self, address=None, key=None):
        address = address or os.environ.get("TOLLGATE_ADDRESS", "127.0.0.1:50051")
        key = key or os.environ["TOLLGATE_API_KEY"]
        # Plaintext is for loopback. Elsewhere: grpc.secure_channel(address,
        # grpc.ssl_channel_credentials(), options), because the key travels in the metadata.
        options = [("grpc.service_config", SERVICE_CONFIG)]
        self._channel = grpc.insecure_channel(address, options)
        self._stub = rpc.CompletionServiceStub(self._channel)
        self._metadata = [("authorization", f"Bearer {key}")]

    def start(self, spec, timeout=30):
        """Starts a call that must end within `timeout` seconds, waits and retries included."""
        request = pb.CompleteRequest(spec=spec)
        future = self._stub.Complete.future(request, timeout=timeout, metadata=self._metadata)
        return Call(future)

    def complete(self, spec, timeout=30):
        """Runs a call and waits for its answer."""
        return self.start(spec, timeout).result()

    def close(self):
        self._channel.close()
