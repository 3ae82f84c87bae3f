"""Turns a BentoDeployment into a plan: a component for its API server and one for each runner. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from fairlead.dialects.base import Document, World
from fairlead.dialects.bento.conditions import is_true
from fairlead.dialects.bento.deployment.annotations import COLD_START
from fairlead.dialects.bento.deployment.bentos import find, required
from fairlead.dialects.bento.deployment.ignored import warn_of_ignored
from fairlead.dialects.bento.deployment.labels import API_SERVER, labels_of
from fairlead.dialects.bento.deployment.lower_scale import lower_scale
from fairlead.dialects.bento.deployment.lower_units import MAIN, lower_unit
from fairlead.dialects.bento.deployment.parts import DeploymentPart, parts_of
from fairlead.dialects.bento.deployment.schema import BentoDeployment
from fairlead.dialects.bento.network import Network
from fairlead.dialects.findings import Findings
from fairlead.dialects.sealing import seal
from fairlead.dialects.secret_names import secret_names
from fairlead.plan.model import (
    Call,
    Certificate,
    Component,
    ComponentName,
    Graph,
    Limits,
    Method,
    Owner,
    Plan,
    Protocol,
    Revision,
    Route,
    Target,
    Unit,
    UnitName,
)

CONCURRENCY, QUEUE = "fairlead.dev/max-concurrency", "fairlead.dev/max-queue"
AVAILABLE = "Available"
DRAIN_S = 30.0
PATIENCE_S = 60.0
"""How long requests wait while no replica is ready: an environment is there by then, and BentoML takes seconds."""


def lower(deployment: BentoDeployment, doc: Document, network: Network, world: World) -> Plan:
    """The plan of a valid deployment. Raises `BentoMissing`, `BentoNotReady` and `InvalidManifest`."""
    findings, name = Findings(), deployment.spec.bento
    found = find(name, deployment.metadata.namespace, world)
    bento = required(found, name, deployment.metadata.namespace)
    parts = parts_of(deployment, bento, findings)
    peers = {part.name: part.name for part in parts if not part.is_server}
    was_ready = is_true(doc.get("status"), AVAILABLE)
    components = []
    for part in parts:
        labels = {
            **part.labels,
            **part.pod_metadata.labels,
            **labels_of(deployment, bento.spec.tag, part.runner or part.service),
        }
        unit = lower_unit(deployment, found, bento, part, peers, labels, findings)
        components.append(_component(part, unit, labels, findings, was_ready=was_ready))
    warn_of_ignored(deployment, parts, findings)
    findings.check()
    hosts = hosts_of(deployment, network)
    certificates = _certificates(deployment, network, hosts)
    return Plan(
        owner=owner_of(deployment),
        components=tuple(components),
        routes=tuple(_routes(deployment, hosts)),
        secrets=tuple(sorted({*secret_names(components), *(one.secret for one in certificates)})),
        certificates=certificates,
        labels=tuple(sorted(deployment.metadata.labels.items())),
        warnings=tuple(findings.warnings),
        docs_path=path_of(deployment),
    )


def owner_of(deployment: BentoDeployment) -> Owner:
    """The resource."""
    meta = deployment.metadata
    return Owner(
        api_version=deployment.api_version,
        kind=deployment.kind,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        generation=meta.generation,
    )


def path_of(deployment: BentoDeployment) -> str:
    """Where it answers below the gateway's own address."""
    return path_to(deployment.metadata.namespace, deployment.metadata.name)


def path_to(namespace: str, name: str) -> str:
    """The same, of a deployment of that name."""
    return f"/bento/{namespace}/{name}/"


def hosts_of(deployment: BentoDeployment, network: Network) -> tuple[str, ...]:
    """The names for clients outside; none without a way in."""
    host = network.host(deployment.metadata.name, deployment.metadata.namespace)
    return (host,) if host and deployment.spec.ingress.enabled else ()


def inside_hosts(deployment: BentoDeployment) -> tuple[str, ...]:
    """The names that its Service would have in a cluster, the full one first."""
    name = f"{deployment.metadata.name}.{deployment.metadata.namespace}"
    return f"{name}.svc.cluster.local", f"{name}.svc", name


def _component(
    part: DeploymentPart, unit: Unit, labels: dict[str, str], findings: Findings, *, was_ready: bool
) -> Component:
    written = tuple(sorted(labels.items()))
    revision = Revision(
        hash="",
        units=(unit,),
        graph=Graph(root=Call(unit=UnitName(MAIN), method=Method.PREDICT)),
        protocol=Protocol.RAW,
        labels=written,
        limits=_limits(part, findings),
        drain_s=float(part.pod.termination_grace_period_seconds or DRAIN_S),
    )
    return Component(
        name=ComponentName(part.name),
        full_name=part.full_name,
        revision=seal(revision),
        scale=lower_scale(part, findings, was_ready=was_ready),
        group=part.full_name,
        labels=written,
        role=part.name,
        patience_s=_patience_s(part, findings),
    )


def _patience_s(part: DeploymentPart, findings: Findings) -> float:
    text = part.annotations.get(COLD_START)
    if text is None:
        return PATIENCE_S
    if text.isascii() and text.isdecimal():
        return float(text)
    findings.refuse(f"{part.path}.annotations[{COLD_START}]", f"{text!r} is no whole number of seconds")
    return PATIENCE_S


def _limits(part: DeploymentPart, findings: Findings) -> Limits:
    """How much a replica takes at once, where the manifest says it; BentoML's own limits hold besides."""
    given = Limits()
    for name, field in ((CONCURRENCY, "concurrency"), (QUEUE, "waiting")):
        text = part.annotations.get(name)
        if text is None:
            continue
        if text.isascii() and text.isdecimal():
            given = replace(given, **{field: int(text)})
        else:
            findings.refuse(f"{part.path}.annotations[{name}]", f"{text!r} is no whole number")
    return given


def _routes(deployment: BentoDeployment, hosts: tuple[str, ...]) -> Iterator[Route]:
    base = Route(targets=(Target(component=ComponentName(API_SERVER), weight=100),))
    for host in (*hosts, *inside_hosts(deployment)):
        yield replace(base, host=host, path_prefix="/")
    yield replace(base, path_prefix=path_of(deployment))


def _certificates(deployment: BentoDeployment, network: Network, hosts: tuple[str, ...]) -> tuple[Certificate, ...]:
    tls = deployment.spec.ingress.tls
    secret = network.secret(deployment.metadata.name, tls.secret_name if tls is not None else "")
    return (Certificate(secret=secret, hosts=hosts),) if secret and hosts else ()
