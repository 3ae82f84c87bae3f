"""`fairlead operator`: make the manifests of a Kubernetes cluster true, from inside the cluster or from a laptop."""

import asyncio
import signal
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.configuration import read_catalog
from fairlead.cli.connection import home_at
from fairlead.cli.exits import UsageError
from fairlead.cli.rendering import read_values
from fairlead.errors import MissingExtra

if TYPE_CHECKING:
    from fairlead.backends.kubernetes.install.seeding import Seeder
    from fairlead.backends.kubernetes.operator import ClusterConfig, Followed, Options
    from fairlead.backends.kubernetes.values import Values
    from fairlead.backends.kubernetes.webhooks.serving import Webhooks
    from fairlead.dialects.catalog import Catalog
    from fairlead.dialects.clusters import ClusterSettings

_IN_A_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_KSERVE_SOURCES = {"InferenceGraph": "InferenceGraphController", "LLMInferenceService": "LLMInferenceServiceController"}
_KSERVE_FINALIZERS = frozenset({"inferenceservice.finalizers", "trainedmodel.finalizer", "inferencegraph.finalizers"})
"""Put on objects by KServe's own controllers, to delete what their caches or routes have of them; ours own all of that,
so nothing is left for a finalizer to do."""


def operator(
    *,
    kubeconfig: Path | None = None,
    context: str = "",
    namespace: Annotated[list[str], Parameter(name=["--namespace", "-n"], negative="")] = [],  # noqa: B006
    values: Path | None = None,
    controller_id: Annotated[str, Parameter(env_var="CONTROLLER_ID")] = "",
    host: str = "0.0.0.0",  # noqa: S104 - for the kubelet and Prometheus
    metrics_port: int = 8080,
    health_port: int = 8081,
    webhook_port: int | None = None,
    leader_elect: bool = True,
    leader_election_id: str = "operator.fairlead.dev",
    leader_election_namespace: str = "",
    workers: int = 8,
    api_qps: float = 50.0,
    api_burst: int = 100,
    log_format: Literal["text", "json"] = "text",
    log_level: str = "INFO",
    config: Path | None = None,
    home: Path | None = None,
) -> int:
    """Make the manifests of a Kubernetes cluster true, until SIGTERM or Ctrl-C.

    Parameters
    ----------
    kubeconfig
        How to reach the cluster (default: the service account of the pod this runs in).
    context
        A context of the kubeconfig other than its current one.
    namespace
        Look after this namespace alone; may be given several times (default: all).
    values
        Values file of the installation, as its Helm chart takes it.
    controller_id
        Take only SeldonDeployments whose label seldon.io/controller-id is this (default: $CONTROLLER_ID, or
        controllerId of the values).
    host
        Address of the ports below.
    metrics_port
        Port of /metrics (default: 8080).
    health_port
        Port of /healthz and /readyz (default: 8081).
    webhook_port
        Answer admission webhooks at this port (default: not).
    leader_elect
        Work only while holding the lease, so that a second operator can stand by (default).
    leader_election_id
        Name of the lease.
    leader_election_namespace
        Namespace of the lease (default: that of the pod, or of the values).
    workers
        How many objects are looked at at the same time (default: 8).
    api_qps
        Calls of the Kubernetes API a second, at most (default: 50).
    api_burst
        How many of those may come at once (default: 100).
    log_format
        text (default) or json.
    log_level
        DEBUG, INFO (default), WARNING or ERROR.
    config
        Configuration file with images and servers of your own (default: config.toml of the home).
    home
        Where the installation keeps its things (default: $FAIRLEAD_HOME, ~/.fairlead).
    """
    ports = (("--metrics-port", metrics_port), ("--health-port", health_port), ("--webhook-port", webhook_port or 0))
    for flag, number in ports:
        if not 0 <= number <= 65535:
            raise UsageError(f"{flag} {number}: must be a port number, 0 to 65535")
    if workers < 1 or api_qps <= 0 or api_burst < 1:
        raise UsageError("--workers, --api-qps and --api-burst must be more than 0")
    if log_level.upper() not in _LEVELS:
        raise UsageError(f"--log-level {log_level!r}: there are {', '.join(_LEVELS)}")
    catalog = read_catalog(home_at(home), config)
    settings = _placed(read_values(values))
    need_libraries()
    from fairlead.backends.kubernetes.operator import Options, find_config, logs

    logs.configure(log_level.upper(), as_json=log_format == "json")
    options = Options(
        settings=settings,
        namespaces=tuple(dict.fromkeys(namespace)),
        shared=_shared(),
        controller_id=controller_id or settings.value("controllerId", ""),
        host=host,
        metrics_port=metrics_port,
        health_port=health_port,
        workers=workers,
        calls_per_s=api_qps,
        call_burst=api_burst,
        elects=leader_elect,
        lease=leader_election_id,
        lease_namespace=leader_election_namespace or settings.namespace,
    )
    return asyncio.run(_until_told(find_config(kubeconfig, context), options, catalog, webhook_port))


def need_libraries() -> None:
    """Raise `MissingExtra` where a cluster cannot be talked to."""
    for library in ("kopf", "lightkube"):
        if find_spec(library) is None:
            raise MissingExtra(library=library, extra="kubernetes")


async def _until_told(
    cluster: "ClusterConfig", options: "Options", catalog: "Catalog", webhook_port: int | None
) -> int:
    from fairlead.backends.kubernetes.operator import Operator

    webhooks = None if webhook_port is None else _webhooks(options, catalog, webhook_port)
    seeder = _seeder(options.settings)
    operator = Operator(
        cluster, followed(options.settings), options, catalog, [one for one in (webhooks, seeder) if one is not None]
    )
    operator.is_ready += [webhooks.is_serving] if webhooks else []
    operator.is_ready += [seeder.is_done] if seeder else []
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    return await operator.run(stop)


def _webhooks(options: "Options", catalog: "Catalog", port: int) -> "Webhooks":
    from fairlead.backends.kubernetes.webhooks.serving import Webhooks

    return Webhooks(catalog=catalog, host=options.host, port=port)


def _seeder(settings: "ClusterSettings") -> "Seeder | None":
    """For an installation, whose values say so; an operator on a laptop brings nothing along."""
    if not settings.value("runtimes.create", False):
        return None
    from fairlead.backends.kubernetes.install.seeding import Seeder
    from fairlead.dialects.kserve.cluster_seeds import cluster_seeds

    return Seeder(cluster_seeds(settings))


def followed(settings: "ClusterSettings") -> "list[Followed]":
    """Every kind that the operator makes true, with what its upstream operator did in its own way."""
    from fairlead.backends.kubernetes.operator import Followed
    from fairlead.dialects.bento import BentoDialect
    from fairlead.dialects.kserve import KServeDialect
    from fairlead.dialects.seldon import SeldonDialect

    seldon, kserve = SeldonDialect(settings=settings), KServeDialect(settings=settings)
    bento = BentoDialect(settings=settings)
    of_seldon = [
        Followed(
            kind=kind,
            dialect=seldon,
            source="seldon-controller-manager",
            tells_objects=True,
            reads_pods=True,
            reads_ready_pods=False,
            controller_label="seldon.io/controller-id",
        )
        for kind in seldon.kinds
    ]
    of_kserve = [
        Followed(
            kind=kind,
            dialect=kserve,
            source=_KSERVE_SOURCES.get(kind.kind, "v1beta1Controllers"),
            reads_pods=kind.kind == "InferenceService",
            left_finalizers=_KSERVE_FINALIZERS,
        )
        for kind in kserve.kinds
    ]
    of_bento = [
        Followed(
            kind=kind,
            dialect=bento,
            source="yatai-image-builder" if kind.kind == "BentoRequest" else "yatai-deployment",
            tells_objects=kind.kind == "BentoDeployment",
            reads_pods=True,
            is_laid_out_by_status=True,
        )
        for kind in bento.kinds
    ]
    return [*of_seldon, *of_kserve, *of_bento]


def _placed(read: "Values") -> "ClusterSettings":
    """The installation's settings. Its namespace is the one the operator is in, unless the values say another."""
    for warning in read.warnings:
        output.note(f"warning: {warning}")
    settings = read.settings
    if settings.value("namespaceOverride") is None and (namespace := own_namespace()):
        return replace(settings, namespace=namespace)
    return settings


def own_namespace() -> str:
    """The namespace of the pod this runs in; empty for none."""
    return _IN_A_POD.read_text().strip() if _IN_A_POD.exists() else ""


def _shared() -> frozenset[str]:
    from fairlead.dialects.bento import SHARED as BENTO_SHARED
    from fairlead.dialects.kserve import SHARED as KSERVE_SHARED

    return KSERVE_SHARED | BENTO_SHARED
