"""How the server of a part is started, what it is told, and how one sees that it answers."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.dialects.bento.bento.schema import Bento
from fairlead.dialects.bento.deployment.parts import DeploymentPart
from fairlead.dialects.bento.deployment.schema import PORT, BentoDeployment
from fairlead.dialects.bento.site import Site

ENTRYPOINT = "./env/docker/entrypoint.sh"
OTLP_PORT = 3002
_MONITORING = (
    "monitoring.enabled=true monitoring.type=otlp "
    f"monitoring.options.endpoint=http://127.0.0.1:{OTLP_PORT} monitoring.options.insecure=true"
)
_OPTIONS = "BENTOML_CONFIG_OPTIONS"


def server_args(bento: Bento, part: DeploymentPart, peers: Mapping[str, str]) -> str:
    """The line that a shell is given. A port of the deployment's own stands in it as a variable."""
    if not peers:
        return f"{ENTRYPOINT} bentoml serve . --production"
    if part.runner:
        line = "python -m bentoml._internal.server.cli.runner . --runner-name"
        return f"{ENTRYPOINT} {line} {part.runner} --bind tcp://0.0.0.0:{port_of(part)} --working-dir ."
    if bento.spec.runners:
        runners = json.dumps({name: f"tcp://{service}:{PORT}" for name, service in peers.items()})
        line = "python -m bentoml._internal.server.cli.api_server . --bind"
        return f"{ENTRYPOINT} {line} tcp://0.0.0.0:{port_of(part)} --runner-map '{runners}' --working-dir ."
    return _service_args(bento, part, peers)


def _service_args(bento: Bento, part: DeploymentPart, peers: Mapping[str, str]) -> str:
    """One service of a new-style bento, that finds those which are elsewhere."""
    own = part.service or bento.spec.service_name
    named = f" --service-name {own}" if own else ""
    others = "".join(f" --depends {name}=http://{at}:{PORT}" for name, at in peers.items() if name != own)
    line = f"python -m bentoml_cli._internal.start start-http-server .{named}{others}"
    return f"{ENTRYPOINT} {line} --host 0.0.0.0 --port {port_of(part)}"


def port_of(part: DeploymentPart) -> int:
    """Where it listens: `PORT` of its variables, or 3000."""
    given = next((env.value for env in part.envs if env.name == "PORT"), "")
    return int(given) if given.isascii() and given.isdecimal() and 0 < int(given) < 65536 else PORT


def ports(bento: Bento, part: DeploymentPart) -> list[dict[str, Any]]:
    """Its own, and those that the bento has besides."""
    manifest = bento.spec.manifest
    return [{"name": "http", "containerPort": port_of(part)}, *(manifest.extra_ports if manifest else ())]


def environment(deployment: BentoDeployment, part: DeploymentPart, site: Site) -> list[dict[str, Any]]:
    """The variables of the manifest, then those that are told to every server unless it has them."""
    given = [env.model_dump(by_alias=True, exclude_unset=True) for env in part.envs]
    names = {env["name"] for env in given}
    added = {
        "PORT": str(port_of(part)),
        "YATAI_T_DEPLOYMENT_UID": deployment.metadata.uid,
        "YATAI_BENTO_DEPLOYMENT_NAME": deployment.metadata.name,
        "YATAI_BENTO_DEPLOYMENT_NAMESPACE": deployment.metadata.namespace,
        **_organization(site),
    }
    monitors = deployment.spec.monitor_exporter is not None and deployment.spec.monitor_exporter.enabled
    made = [*given, *({"name": name, "value": value} for name, value in added.items() if value and name not in names)]
    return _with_monitoring(made) if monitors and part.is_server else made


def _organization(site: Site) -> Mapping[str, str]:
    """Of the installation, where its values say it."""
    named = {"YATAI_T_VERSION": "version", "YATAI_T_ORG_UID": "orgUid", "YATAI_T_CLUSTER_UID": "clusterUid"}
    return {name: str(site.settings.value(f"bento.yatai.{path}", "")) for name, path in named.items()}


def _with_monitoring(env: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the exporter as the place for monitored data, unless somebody configured another."""
    present = next((one for one in env if one["name"] == _OPTIONS), None)
    if present is None:
        return [*env, {"name": _OPTIONS, "value": _MONITORING}]
    if "monitoring." in str(present.get("value", "")) or "valueFrom" in present:
        return env
    return [{**one, "value": f"{one.get('value', '')} {_MONITORING}".strip()} if one is present else one for one in env]


def probes(bento: Bento, part: DeploymentPart, peers: Mapping[str, str]) -> dict[str, Any]:
    """Of a server alone by HTTP; of one with runners by a program that asks all of them."""
    if bento.spec.runners:
        own = f"http://localhost:{port_of(part)}"
        others = () if part.runner else tuple(f"http://{service}:{PORT}" for service in peers.values())
        return {
            "livenessProbe": _asking((own, *others), "healthz", delay=5, timeout=5, failures=6),
            "readinessProbe": _asking((own, *others), "readyz", delay=5, timeout=5, failures=36),
        }
    manifest = bento.spec.manifest
    livez = (manifest.livez_endpoint if manifest else "") or "/livez"
    readyz = (manifest.readyz_endpoint if manifest else "") or "/readyz"
    return {
        "livenessProbe": _get(livez, delay=10, timeout=20, failures=6),
        "readinessProbe": _get(readyz, delay=5, timeout=5, failures=12),
    }


def _get(path: str, *, delay: int, timeout: int, failures: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, **_times(delay, timeout, failures)}


def _asking(bases: Iterable[str], path: str, *, delay: int, timeout: int, failures: int) -> dict[str, Any]:
    lines = "; ".join(f"urlopen('{base}/{path}')" for base in bases)
    command = ["python3", "-c", f"from urllib.request import urlopen; {lines}"]
    return {"exec": {"command": command}, **_times(delay, timeout, failures)}


def _times(delay: int, timeout: int, failures: int) -> dict[str, int]:
    return {"initialDelaySeconds": delay, "timeoutSeconds": timeout, "failureThreshold": failures}
