"""What schemas can't know of deploy/: hardening, and figures that belong together.

    rules.py compose | rules.py images | rules.py kubernetes MANIFESTS...

Prints what is wrong, one line each, and exits with 1 if anything is.
"""

import re
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
# What app.rs adds to the two graces of the configuration: callers' leftovers, and settling.
LAST_WORDS = 20
HANGUP_GRACE = "10s"


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def configured(path):
    """How long a gateway with this configuration takes to stop, and how many it expects."""
    config = tomllib.loads(path.read_text())
    server = config["server"]
    stop = seconds(server["shutdown_grace"]) + seconds(server.get("hangup_grace", HANGUP_GRACE))
    return stop + LAST_WORDS, config["store"]["expected_replicas"]


def default(text):
    """What a value is when its variable is not set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def hardened(name, service):
    for key, wanted in {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }.items():
        if service.get(key) != wanted:
            yield f"{name}: {key} is not {wanted}"
    if str(service.get("user", "0")).startswith("0"):
        yield f"{name}: runs as root"
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    for limit in ("cpus", "memory", "pids"):
        if limit not in limits:
            yield f"{name}: no limit of {limit}"
    if "max-size" not in service.get("logging", {}).get("options", {}):
        yield f"{name}: its log has no bound"


def reached(name, service):
    for port in service.get("ports", []):
        if not port.startswith("127.0.0.1:"):
            yield f"{name}: {port} is published beyond loopback"
    image = service["image"]
    if not re.fullmatch(r"\$\{\w+_IMAGE:-[^}]+\}", image):
        yield f"{name}: its image has no variable"
    if not re.search(r":[\w.-]*\d[\w.-]*$", default(image)):
        yield f"{name}: {default(image)} is not pinned"
    one_shot = service.get("restart") == "no"
    if not one_shot and "network_mode" not in service and "healthcheck" not in service:
        yield f"{name}: no healthcheck"


def mounted(name, service):
    for volume in service.get("volumes", []):
        source = volume["source"] if isinstance(volume, dict) else default(volume).split(":")[0]
        source = default(source)
        if not source.startswith(".") or source.startswith("./secrets"):
            continue
        if not (DEPLOY / source).exists():
            yield f"{name}: mounts {source}, which is not there"


def compose():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for name, service in services.items():
        yield from hardened(name, service)
        yield from reached(name, service)
        yield from mounted(name, service)
    gateways = [service for name, service in services.items() if name.startswith("gateway-")]
    for file in ("gateway-redis.toml", "compose/simulator.toml"):
        stop, replicas = configured(DEPLOY / file)
        if replicas != len(gateways):
            yield f"{file}: expects {replicas} gateways, and compose.yaml has {len(gateways)}"
        for gateway in gateways:
            if seconds(gateway["stop_grace_period"]) < stop:
                yield f"compose.yaml: stop_grace_period is less than the {stop:.0f}s of {file}"
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/tollgate.yaml").read_text())
    path = provider["providers"][0]["options"]["path"]
    if not any(str(v).startswith(f"./grafana/dashboards:{path}:") for v in services["grafana"]["volumes"]):
        yield f"compose.yaml: dashboards are not mounted at {path}, where Grafana looks for them"
    prometheus = yaml.safe_load((DEPLOY / "compose/prometheus.yml").read_text())
    targets = prometheus["scrape_configs"][0]["static_configs"][0]["targets"]
    wanted = [f"{name}:9464" for name in services if name.startswith("gateway-")]
    if targets != wanted:
        yield f"compose/prometheus.yml: scrapes {targets}, not {wanted}"
    provisioned = DEPLOY / "grafana/provisioning/datasources/prometheus.yaml"
    [source] = yaml.safe_load(provisioned.read_text())["datasources"]
    if source["uid"] != "prometheus":
        yield f"{provisioned.name}: dashboards link to the uid prometheus, not {source['uid']}"
    interval = prometheus["global"]["scrape_interval"]
    if source["jsonData"]["timeInterval"] != interval:
        yield f"{provisioned.name}: timeInterval is not the scrape_interval of {interval}"


def images():
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    channel = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    if f"ARG BUILD_IMAGE=rust:{channel}-" not in dockerfile:
        yield f"Dockerfile: does not build with Rust {channel}, as rust-toolchain.toml says"
    if "ARG RUNTIME_IMAGE=gcr.io/distroless/" not in dockerfile or ":nonroot\n" not in dockerfile:
        yield "Dockerfile: the images are not made from distroless"
    stages = re.split(r"^FROM ", dockerfile, flags=re.M)[1:]
    for stage in stages:
        base, name = stage.split("\n", 1)[0].split(" AS ")
        if name != "build" and base != "${RUNTIME_IMAGE}":
            yield f"Dockerfile: the image {name} is made from {base}"
        if name != "build" and "\nUSER 65532:65532\n" not in stage:
            yield f"Dockerfile: the image {name} runs as root"
        if name == "gateway" and 'CMD ["/usr/local/bin/tollgate", "healthcheck"]' not in stage:
            yield "Dockerfile: the gateway is not its own healthcheck"
    # A folder that is built from and not sent would fail only where images are built.
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text()
    members = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["members"]
    for member in members:
        if not re.search(rf"^!{member.split('/')[0]}(/src)?$", sent, flags=re.M):
            yield f"Dockerfile.dockerignore: {member} is not sent to the build"


def pods(documents):
    for document in documents:
        template = document.get("spec", {}).get("template")
        if template:
            yield document, template["spec"]


def restricted(name, pod):
    context = pod.get("securityContext", {})
    if not context.get("runAsNonRoot"):
        yield f"{name}: may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{name}: no seccomp profile"
    if pod.get("automountServiceAccountToken") is not False:
        yield f"{name}: has a token of the cluster"
    for container in pod["containers"]:
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{name}: may escalate privileges"
        if own.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{name}: keeps capabilities"
        if own.get("readOnlyRootFilesystem") is not True:
            yield f"{name}: may write its root"
        resources = container.get("resources", {})
        if "memory" not in resources.get("limits", {}) or "cpu" not in resources.get("requests", {}):
            yield f"{name}: no limit of memory or no request of cpu"


def deployed(document, pod, documents):
    name = document["metadata"]["name"]
    if document["spec"]["replicas"] < 3:
        yield f"{name}: fewer than 3 pods"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if "grpc" not in pod["containers"][0].get(probe, {}):
            yield f"{name}: {probe} does not ask the gRPC health service"
    labels = document["spec"]["template"]["metadata"]["labels"].items()
    guards = {"PodDisruptionBudget": "selector", "NetworkPolicy": "podSelector", "Service": "selector"}
    for kind, key in guards.items():
        found = [d["spec"][key] for d in documents if d["kind"] == kind]
        chosen = [s.get("matchLabels", s) for s in found]
        if not any(selector and selector.items() <= labels for selector in chosen):
            yield f"{name}: no {kind} chooses its pods"
    services = [d["spec"] for d in documents if d["kind"] == "Service"]
    if not any(s.get("clusterIP") == "None" and s["selector"].items() <= labels for s in services):
        yield f"{name}: no headless service for callers that spread calls"


def split(job, pod):
    """The parts of a Job: their number is in three places."""
    name = job["metadata"]["name"]
    if job["spec"].get("completionMode") != "Indexed":
        yield f"{name}: its pods do not know which part is theirs"
    args = pod["containers"][0]["args"]
    parts = args[args.index("--shard") + 1].split("/")[1]
    if not parts == str(job["spec"]["completions"]) == str(job["spec"]["parallelism"]):
        yield f"{name}: completions, parallelism and --shard are different"


def kubernetes(files):
    for file in files:
        documents = [d for d in yaml.safe_load_all(Path(file).read_text()) if d]
        if not any(True for _ in pods(documents)):
            yield f"{file}: has no pods"
        for document, pod in pods(documents):
            name = f"{document['kind']} {document['metadata']['name']}"
            yield from restricted(name, pod)
            if document["kind"] == "Deployment":
                yield from deployed(document, pod, documents)
            if document["kind"] == "Job":
                yield from split(document, pod)
        for config in (d for d in documents if d["kind"] == "ConfigMap"):
            yield from fits(config, documents)


def fits(config, documents):
    """The figures of an overlay's configuration and of its Deployment."""
    path = DEPLOY / "k8s/overlays/example/gateway.toml"
    if config["data"]["gateway.toml"] != path.read_text():
        yield f"{config['metadata']['name']}: is not {path.name}"
    stop, replicas = configured(path)
    for document, pod in pods(documents):
        if document["spec"]["replicas"] != replicas:
            yield f"{path.name}: expects {replicas} gateways, not {document['spec']['replicas']}"
        before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        if pod["terminationGracePeriodSeconds"] < before + stop:
            yield f"terminationGracePeriodSeconds is less than {before} s and {stop:.0f} s"


def main():
    what, files = sys.argv[1], sys.argv[2:]
    found = {"compose": compose, "images": images}.get(what, lambda: kubernetes(files))()
    problems = list(found)
    print("\n".join(problems))
    sys.exit(bool(problems))


main()
