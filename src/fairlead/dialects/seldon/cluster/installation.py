"""What an installation decided for SeldonDeployments: chart values by the names of `seldon-core-operator`, and over
them the ConfigMap `seldon-config`, in which Seldon Core keeps its tables of images.

Values that are not given have the upstream chart's defaults, but for images: those are ours.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fairlead.dialects.base import World
from fairlead.dialects.catalog import Catalog, Entry
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.findings import Findings
from fairlead.dialects.seldon.defaults import Numbering
from fairlead.dialects.seldon.names import HTTP_PORT
from fairlead.plan.layout import Routing

CONFIG_MAP = "seldon-config"
_TABLES = ("predictor_servers", "storageInitializer", "explainer", "credentials")
_EITHER_V2 = {"v2": ("v2", "kfserving"), "kfserving": ("kfserving", "v2")}
_RELATED = "RELATED_IMAGE_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orchestrator:
    """The chart's `executor` values. `image` is empty for ours."""

    port: int = HTTP_PORT
    metrics_port_name: str = "metrics"
    prometheus_path: str = "/prometheus"
    user: int = 8888
    image: str = ""
    pull_policy: str = "IfNotPresent"
    service_account: str = ""
    resources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    log_endpoint: str = "http://default-broker"
    log_queue: str = "10000"
    log_timeout_ms: str = "2000"
    full_health_checks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """All of it. `tables` are those of the ConfigMap by name; `related` the images by the names that distributions
    replace them by (`SKLEARNSERVER_V2`)."""

    settings: ClusterSettings
    orchestrator: Orchestrator
    routing: Routing
    has_keda: bool
    numbering: Numbering
    user: int | None
    env_secret: str
    has_name_prefix: bool
    tables: Mapping[str, Mapping[str, Any]]
    related: Mapping[str, str]

    def server_image(self, implementation: str, protocol: str) -> str:
        """The image that this installation configures for a prepackaged server; empty when it leaves it to us."""
        protocols = _mapping(_mapping(self.tables["predictor_servers"].get(implementation)).get("protocols"))
        for name in _EITHER_V2.get(protocol, (protocol,)):
            entry = _mapping(protocols.get(name))
            if entry.get("image"):
                version = entry.get("defaultImageVersion")
                return f"{entry['image']}:{version}" if version else str(entry["image"])
        return ""

    def has_server(self, implementation: str) -> bool:
        """Whether the table of servers has an entry of that name."""
        return implementation in self.tables["predictor_servers"]


def read_installation(settings: ClusterSettings, world: World, findings: Findings) -> Installation:
    """The installation as its values and its ConfigMap say."""
    http, grpc = (_number(settings, f"predictiveUnit.{name}", 0, findings) for name in ("httpPort", "grpcPort"))
    default = Numbering()
    user = str(settings.value("defaultUserID", "8888"))
    return Installation(
        settings=settings,
        orchestrator=_orchestrator(settings, findings),
        routing=_routing(settings, findings),
        has_keda=is_on(settings.value("keda.enabled", settings.has_keda)),
        numbering=Numbering(
            http=http or default.http,
            grpc=grpc or default.grpc,
            metrics_name=str(settings.value("predictiveUnit.metricsPortName", default.metrics_name)),
        ),
        user=int(user) if user.isdigit() else None,
        env_secret=str(settings.value("predictiveUnit.defaultEnvSecretRefName", "")),
        has_name_prefix=is_on(settings.value("manager.deploymentNameAsPrefix", False)),
        tables=_tables(settings, world, findings),
        related={key.removeprefix(_RELATED): str(value) for key, value in _related(settings) if value},
    )


def catalog_of(settings: ClusterSettings, catalog: Catalog, world: World) -> Catalog:
    """The catalog with the servers that the installation configures, for the rules that ask which there are."""
    tables = _tables(settings, world, Findings())
    known = {name: Entry(runtime="container") for name in tables["predictor_servers"]}
    return replace(catalog, servers={**known, **catalog.servers})


def is_on(value: Any) -> bool:
    """A chart's boolean, which may have become text."""
    return value is True or str(value).lower() == "true"


def _orchestrator(settings: ClusterSettings, findings: Findings) -> Orchestrator:
    default = Orchestrator()

    def text(name: str, otherwise: str) -> str:
        return str(settings.value(f"executor.{name}", otherwise))

    related = dict(_related(settings))
    return Orchestrator(
        port=_number(settings, "executor.port", default.port, findings),
        metrics_port_name=text("metricsPortName", default.metrics_port_name),
        prometheus_path=text("prometheus.path", default.prometheus_path),
        user=_number(settings, "executor.user", default.user, findings),
        image=str(related.get(f"{_RELATED}EXECUTOR") or related.get("EXECUTOR") or _image(settings)),
        pull_policy=text("image.pullPolicy", settings.image_pull_policy),
        service_account=text("serviceAccount.name", ""),
        resources=_resources(settings),
        log_endpoint=text("requestLogger.defaultEndpoint", default.log_endpoint),
        log_queue=text("requestLogger.workQueueSize", text("workQueueSize", default.log_queue)),
        log_timeout_ms=text("requestLogger.writeTimeoutMs", text("writeTimeoutMs", default.log_timeout_ms)),
        full_health_checks=is_on(settings.value("executor.fullHealthChecks", False)),
    )


def _image(settings: ClusterSettings) -> str:
    """The chart says it in three parts; it is ours while there is no repository."""
    repository = str(settings.value("executor.image.repository", ""))
    if not repository:
        return ""
    registry, tag = settings.value("executor.image.registry", ""), settings.value("executor.image.tag", "")
    return f"{registry}/" * bool(registry) + repository + f":{tag}" * bool(tag)


def _resources(settings: ClusterSettings) -> Mapping[str, Mapping[str, Any]]:
    given = {
        kind: {
            resource: settings.value(f"executor.resources.{resource}{kind.capitalize().removesuffix('s')}", default)
            for resource, default in (("cpu", "500m"), ("memory", "512Mi"))
        }
        for kind in ("limits", "requests")
    }
    return {kind: {name: str(value) for name, value in values.items()} for kind, values in given.items()}


def _routing(settings: ClusterSettings, findings: Findings) -> Routing:
    if settings.value("routing"):
        return settings.routing
    istio, ambassador = (is_on(settings.value(f"{name}.enabled", False)) for name in ("istio", "ambassador"))
    if istio and ambassador:
        findings.warn("istio.enabled and ambassador.enabled are both set; ways in are written for Istio alone")
    if istio:
        return Routing.ISTIO
    return Routing.AMBASSADOR if ambassador else settings.routing


def _tables(settings: ClusterSettings, world: World, findings: Findings) -> dict[str, Mapping[str, Any]]:
    """Each table as the ConfigMap has it, else as the values have it."""
    stored = world.get("ConfigMap", settings.namespace, CONFIG_MAP) or {}
    data = _mapping(stored.get("data"))
    tables = {}
    for name in _TABLES:
        tables[name] = _mapping(settings.value(name))
        if data.get(name):
            try:
                tables[name] = _mapping(json.loads(str(data[name])))
            except ValueError as error:
                findings.warn(f"ConfigMap {settings.namespace}/{CONFIG_MAP}: {name} is ignored: not JSON: {error}")
    return tables


def _related(settings: ClusterSettings) -> Iterator[tuple[str, str]]:
    for name, value in _mapping(settings.value("relatedImages")).items():
        yield str(name), str(value or "")


def _number(settings: ClusterSettings, path: str, default: int, findings: Findings) -> int:
    given = str(settings.value(path, default))
    if given.isdigit():
        return int(given)
    findings.warn(f"value {path} is ignored: {given!r} is not a whole number")
    return default


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
