"""A caller, and a reader of Prometheus and Alertmanager, for smoke-compose.sh.

Each command prints what it saw in one line, and exits with 1 if that is not what should be.
"""

import base64
import json
import sys
import threading
import time
import urllib.request
from pathlib import Path

import grpc
from google.rpc import error_details_pb2 as details
from grpc_status import rpc_status
from tollgate.v1 import completion_pb2 as pb
from tollgate.v1 import completion_pb2_grpc as rpc
from tollgate.v1 import usage_pb2, usage_pb2_grpc

# What any caller of several gateways says: spread calls, and retry UNAVAILABLE, for which nothing
# was charged.
SERVICE_CONFIG = json.dumps({
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [{
        "name": [{"service": "tollgate.v1.CompletionService"}],
        "retryPolicy": {
            "maxAttempts": 5,
            "initialBackoff": "0.1s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }],
})


class Caller:
    def __init__(self, ports, key_file):
        addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
        # A list of addresses is no name of a server; without one, gRPC sends the list as the name,
        # which HTTP/2 refuses.
        options = [("grpc.service_config", SERVICE_CONFIG), ("grpc.default_authority", "tollgate")]
        channel = grpc.insecure_channel(f"ipv4:{addresses}", options)
        self.metadata = [("authorization", f"Bearer {Path(key_file).read_text().strip()}")]
        self.completions = rpc.CompletionServiceStub(channel)
        self.usage = usage_pb2_grpc.UsageServiceStub(channel)

    def ask(self, model):
        """The receipt of one call."""
        spec = pb.CompletionSpec(model=model, max_output_tokens=60)
        spec.messages.add(role=pb.ROLE_USER).parts.add(text="Name three rivers.")
        request = pb.CompleteRequest(spec=spec)
        return self.completions.Complete(request, timeout=30, metadata=self.metadata).receipt

    def budget(self, name):
        request = usage_pb2.GetBudgetRequest(name=name)
        return self.usage.GetBudget(request, timeout=10, metadata=self.metadata).budget


def reason(error):
    info = details.ErrorInfo()
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        if detail.Unpack(info):
            return info.reason
    return f"{error.code().name}: {error.details()}"


def answer(port, key_file):
    receipt = Caller([port], key_file).ask("gpt-4o-mini")
    print(f"{receipt.model} answered for {receipt.cost_nano_usd} nano-dollars")
    return receipt.cost_nano_usd > 0


def budget(port_1, port_2, key_file):
    """Four callers at each gateway, at once, until the team has no money left."""
    callers = {port: Caller([port], key_file) for port in (port_1, port_2)}
    costs = {port: [] for port in callers}
    ends = {port: set() for port in callers}

    def spend(port):
        try:
            # Far more calls than the budget can pay.
            for _ in range(500):
                costs[port].append(callers[port].ask("gpt-4o").cost_nano_usd)
            ends[port].add("never")
        except grpc.RpcError as error:
            ends[port].add(reason(error))

    together([lambda port=port: spend(port) for port in callers for _ in range(4)])
    seen = [callers[port].budget("day") for port in callers]
    total = sum(sum(found) for found in costs.values())
    calls = [len(found) for found in costs.values()]
    print(f"{calls[0]} and {calls[1]} calls for {total} of {seen[0].limit_nano_usd} nano-dollars, then "
          f"{ends[port_1]} and {ends[port_2]}; both say {[b.spent_nano_usd for b in seen]}")
    return (
        min(calls) > 0
        and all(found == {"BUDGET_EXHAUSTED"} for found in ends.values())
        and all(b.spent_nano_usd == total and b.held_nano_usd == 0 for b in seen)
        and total <= seen[0].limit_nano_usd
    )


def load(port_1, port_2, key_file, stop_file):
    """Calls without a pause until the file is there, at most two minutes. A file beside it says that
    calls are being answered."""
    caller = Caller([port_1, port_2], key_file)
    before = caller.budget("day").spent_nano_usd
    costs, failures = [], []
    end = time.monotonic() + 120

    def call():
        while not Path(stop_file).exists() and time.monotonic() < end:
            try:
                costs.append(caller.ask("gpt-4o-mini").cost_nano_usd)
                if len(costs) == 50:
                    Path(f"{stop_file}.running").touch()
            except grpc.RpcError as error:
                failures.append(reason(error))

    together([call] * 8)
    charged = caller.budget("day").spent_nano_usd - before
    print(f"{len(costs)} calls answered, {len(failures)} lost {sorted(set(failures))}; receipts "
          f"{sum(costs)}, charged {charged} nano-dollars")
    return len(costs) > 50 and not failures and charged == sum(costs)


def together(work):
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answered:
        return json.load(answered)


def becomes(seconds, look):
    """Waits until `look` finds something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except OSError:
            pass
        time.sleep(0.5)
    return None


def up(prometheus):
    def look():
        found = get(f"http://127.0.0.1:{prometheus}/api/v1/query?query=up%7Bjob%3D%22tollgate%22%7D")
        series = found["data"]["result"]
        instances = {s["metric"]["instance"] for s in series if s["value"][1] == "1"}
        return instances if len(instances) == 2 else None

    found = becomes(60, look)
    print(f"up: {sorted(found or [])}")
    return bool(found)


def alerts(alertmanager):
    return {a["labels"]["alertname"]: a for a in get(f"http://127.0.0.1:{alertmanager}/api/v2/alerts")}


def fires(alertmanager, name):
    found = becomes(60, lambda: alerts(alertmanager).get(name))
    print(f"{name}: {found and found['labels']}")
    return bool(found)


def resolves(alertmanager, name):
    found = becomes(60, lambda: name not in alerts(alertmanager))
    print(f"{name}: {'gone' if found else 'still there'}")
    return bool(found)


def dashboards(grafana, password_file):
    """Grafana has every file, and its data source answers."""
    password = Path(password_file).read_text().strip()
    token = base64.b64encode(f"admin:{password}".encode()).decode()

    def ask(path):
        url = f"http://127.0.0.1:{grafana}{path}"
        return get(urllib.request.Request(url, headers={"Authorization": f"Basic {token}"}))

    files = Path(__file__).parents[2].glob("deploy/grafana/dashboards/*.json")
    wanted = {json.loads(file.read_text())["uid"] for file in files}
    found = {dashboard["uid"] for dashboard in ask("/api/search?type=dash-db")}
    source = ask("/api/datasources/uid/prometheus/health")
    print(f"{sorted(found)}; data source: {source['message']}")
    return wanted == found and source["status"] == "OK"


def spent(port, key_file):
    print(Caller([port], key_file).budget("day").spent_nano_usd)
    return True


def spent_at_least(port, key_file, least):
    found = Caller([port], key_file).budget("day").spent_nano_usd
    print(f"{found} nano-dollars, {least} before")
    return found >= int(least)


def refused(port, key_file):
    try:
        Caller([port], key_file).ask("gpt-4o")
    except grpc.RpcError as error:
        print(reason(error))
        return reason(error) == "BUDGET_EXHAUSTED"
    print("answered")
    return False


COMMANDS = {
    command.__name__: command
    for command in (
        answer, budget, load, up, fires, resolves, dashboards, spent, spent_at_least, refused
    )
}
sys.exit(0 if COMMANDS[sys.argv[1]](*sys.argv[2:]) else 1)
