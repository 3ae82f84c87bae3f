"""What stands beside a server: the exporter of monitored data, a debugger, and upstream's proxy and rewriter of metrics
where an installation wants them. Their images are upstream's unless the values name others."""

from dataclasses import dataclass, field
from typing import Any

from fairlead.dialects.bento.bento.schema import Bento
from fairlead.dialects.bento.deployment import annotations as asked
from fairlead.dialects.bento.deployment.annotations import is_on
from fairlead.dialects.bento.deployment.cluster.server import OTLP_PORT, port_of
from fairlead.dialects.bento.deployment.parts import DeploymentPart
from fairlead.dialects.bento.deployment.schema import BentoDeployment, MonitorExporter
from fairlead.dialects.bento.names import parse_tag
from fairlead.dialects.bento.site import Site

METRICS_PORT, PROXY_PORT, EXPORTER_PORT, ADMIN_PORT = 3003, 3004, 3005, 9901
IMAGES = {
    "proxy": "quay.io/bentoml/bentoml-proxy:0.0.1",
    "monitorExporter": "quay.io/bentoml/bentoml-monitor-exporter:0.0.3",
    "debugger": "quay.io/bentoml/bento-debugger:0.0.8",
    "metricsTransformer": "quay.io/bentoml/yatai-bento-metrics-transformer:0.0.4",
}
_USER = 1000


@dataclass(slots=True)
class Beside:
    """Containers, and the volumes that they mount."""

    containers: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)


def has_proxy(site: Site) -> bool:
    """Whether an Envoy stands before every API server."""
    return bool(site.settings.value("bento.proxy.enabled", False))


def sidecars(deployment: BentoDeployment, bento: Bento, part: DeploymentPart, site: Site) -> Beside:
    """Those of a part."""
    beside = Beside()
    if part.is_server and site.settings.value("bento.metricsTransformer.enabled", False):
        beside.containers.append(_metrics_transformer(bento, part, site))
    if part.is_server and has_proxy(site):
        _add_proxy(beside, deployment, part, site)
    exporter = deployment.spec.monitor_exporter
    if part.is_server and exporter is not None and exporter.enabled:
        _add_exporter(beside, exporter, site)
    if is_on(part.annotations, asked.DEBUG):
        beside.containers.append(_debugger(site))
    if site.settings.value("bento.enableRestrictedSecurityContext", False):
        for container in beside.containers:
            container["securityContext"] = {**_restricted(), **container.get("securityContext", {})}
    return beside


def _restricted() -> dict[str, Any]:
    return {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "allowPrivilegeEscalation": False,
        "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"]},
    }


def _image(site: Site, name: str) -> str:
    return str(site.settings.value(f"bento.internalImages.{name}", "") or IMAGES[name])


def _metrics_transformer(bento: Bento, part: DeploymentPart, site: Site) -> dict[str, Any]:
    repository = parse_tag(bento.spec.tag).name.replace("-", ":")
    env = {
        "BENTOML_SERVER_HOST": "localhost",
        "BENTOML_SERVER_PORT": str(port_of(part)),
        "PORT": str(METRICS_PORT),
        "OLD_METRICS_PREFIX": f"BENTOML_{repository}_",
        "NEW_METRICS_PREFIX": "BENTOML_",
    }
    return {
        "name": "metrics-transformer",
        "image": _image(site, "metricsTransformer"),
        "env": _env(env),
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT}],
        "resources": _resources("10m", "10Mi", "100m", "100Mi"),
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "metrics"}},
    }


def _add_proxy(beside: Beside, deployment: BentoDeployment, part: DeploymentPart, site: Site) -> None:
    given = part.annotations
    beside.containers.append(
        {
            "name": "proxy",
            "image": _image(site, "proxy"),
            "command": ["envoy", "--config-path", "/etc/envoy/envoy.yaml"],
            "ports": [
                {"name": "http-proxy", "containerPort": PROXY_PORT},
                {"name": "envoy-admin", "containerPort": ADMIN_PORT},
            ],
            "resources": _resources(
                given.get(asked.PROXY_REQUESTS_CPU, "100m"),
                given.get(asked.PROXY_REQUESTS_MEMORY, "200Mi"),
                given.get(asked.PROXY_LIMITS_CPU, "300m"),
                given.get(asked.PROXY_LIMITS_MEMORY, "1000Mi"),
            ),
            "volumeMounts": [{"name": "envoy-config", "mountPath": "/etc/envoy"}],
        }
    )
    beside.volumes.append({"name": "envoy-config", "configMap": {"name": f"{deployment.metadata.name}-envoy-config"}})


def _add_exporter(beside: Beside, exporter: MonitorExporter, site: Site) -> None:
    options = {f"FLUENTBIT_OUTPUT_OPTION_{key.upper()}": value for key, value in exporter.options.items()}
    structured = [
        {**one.model_dump(by_alias=True, exclude_unset=True), "name": f"FLUENTBIT_OUTPUT_OPTION_{one.name.upper()}"}
        for one in exporter.structure_options
    ]
    taken = {one["name"] for one in structured}
    env = {
        "FLUENTBIT_OTLP_PORT": str(OTLP_PORT),
        "FLUENTBIT_HTTP_PORT": str(EXPORTER_PORT),
        "FLUENTBIT_OUTPUT": exporter.output,
        **{name: value for name, value in options.items() if name not in taken},
    }
    mounts = []
    for index, mount in enumerate(exporter.mounts):
        name = f"monitor-exporter-{index}"
        source = mount.model_dump(by_alias=True, exclude_unset=True, exclude={"path", "read_only"})
        beside.volumes.append({**source, "name": name})
        mounts.append({"name": name, "mountPath": mount.path, **({"readOnly": True} if mount.read_only else {})})
    container: dict[str, Any] = {
        "name": "monitor-exporter",
        "image": _image(site, "monitorExporter"),
        "env": [*_env(env), *structured],
        "ports": [
            {"name": "otlp", "containerPort": OTLP_PORT},
            {"name": "exporter-http", "containerPort": EXPORTER_PORT},
        ],
        "resources": _resources("100m", "24Mi", "1000m", "72Mi"),
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "exporter-http"}},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "exporter-http"}},
    }
    beside.containers.append({**container, **({"volumeMounts": mounts} if mounts else {})})


def _debugger(site: Site) -> dict[str, Any]:
    return {
        "name": "debugger",
        "image": _image(site, "debugger"),
        "command": ["sleep", "infinity"],
        "securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}},
        "resources": _resources("100m", "100Mi", "1000m", "1000Mi"),
        "stdin": True,
        "tty": True,
    }


def _env(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _resources(cpu: str, memory: str, cpu_limit: str, memory_limit: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu_limit, "memory": memory_limit}}
