"""How a BentoDeployment lies in a cluster: Deployments, their scalers, Services and the way in, with Yatai's names."""

from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.bento.bento.schema import KIND as BENTO
from fairlead.dialects.bento.bento.schema import Bento
from fairlead.dialects.bento.deployment import annotations as asked
from fairlead.dialects.bento.deployment.annotations import STRATEGIES, STRATEGY, is_on
from fairlead.dialects.bento.deployment.bentos import find, required
from fairlead.dialects.bento.deployment.cluster.envoy import envoy_config
from fairlead.dialects.bento.deployment.cluster.pods import pod_of
from fairlead.dialects.bento.deployment.cluster.sidecars import has_proxy
from fairlead.dialects.bento.deployment.cluster.sleeping import GATEWAY_PORT, may_sleep, on_demand
from fairlead.dialects.bento.deployment.cluster.ways import exposures_of
from fairlead.dialects.bento.deployment.labels import (
    COMPONENT_NAME,
    COMPONENT_TYPE,
    DEBUG,
    DEPLOYMENT,
    PRODUCTION,
    SELECTOR,
    TARGET,
    bento_annotations,
    labels_of,
)
from fairlead.dialects.bento.deployment.lower import owner_of
from fairlead.dialects.bento.deployment.lower_scale import bounds_of
from fairlead.dialects.bento.deployment.parts import DeploymentPart, parts_of
from fairlead.dialects.bento.deployment.records import records
from fairlead.dialects.bento.deployment.schema import PORT, BentoDeployment
from fairlead.dialects.bento.deployment.to_stored import CPU_PERCENT, resource_metric
from fairlead.dialects.bento.names import runner_service
from fairlead.dialects.bento.request.schema import KIND as REQUEST
from fairlead.dialects.bento.site import Site
from fairlead.dialects.findings import Findings
from fairlead.plan.layout import HorizontalScaler, Layout, OnDemandWorkload, Service, ServicePort, Workload

NON_PROXY_PORT = 3001
DEBUG_HEADER = "X-Yatai-Debug"


def lay_out(deployment: BentoDeployment, doc: Document, site: Site) -> Layout:
    """The layout of a valid deployment. One that was written with a tag brings the request for it, and nothing else
    until that has come to a Bento. Raises `BentoMissing`, `BentoNotReady` and `InvalidManifest`."""
    spec, namespace = deployment.spec, deployment.metadata.namespace
    found, requests = find(spec.bento, namespace, site.world), tuple(records(deployment, doc, site.world))
    mentions = ((BENTO, spec.bento), (REQUEST, spec.bento))
    if found.bento is None and requests:
        return Layout(owner=owner_of(deployment), configs=requests, mentions=mentions)
    bento, findings = required(found, spec.bento, namespace), Findings()
    parts = parts_of(deployment, bento, findings)
    services = {
        part.name: runner_service(deployment.metadata.name, bento.spec.tag, part.name)
        for part in parts
        if not part.is_server
    }
    in_order = [*parts[1:], parts[0]]  # the API server asks its runners, so they come first
    awake = [part for part in in_order if not may_sleep(part, site)]
    workloads = [made for part in awake for made in _workloads(deployment, bento, part, services, site, findings)]
    made_services = [made for part in parts if part in awake for made in _services(deployment, bento, part, site)]
    sleeping = [_on_demand(deployment, bento, part, services, site) for part in parts if part not in awake]
    port = GATEWAY_PORT if sleeping else PORT
    exposures = exposures_of(deployment, doc, bento, site, findings, port=port)
    findings.check()
    return Layout(
        owner=owner_of(deployment),
        workloads=tuple(workloads),
        on_demand=tuple(sleeping),
        services=tuple(made_services),
        exposures=exposures,
        configs=(*requests, *_configs(deployment, bento, parts, site)),
        warnings=tuple(findings.warnings),
        mentions=mentions,
    )


def is_stealing(part: DeploymentPart) -> bool:
    """Whether requests with a header go to a pod of their own."""
    return is_on(part.annotations, asked.STEALING)


def _workloads(
    deployment: BentoDeployment,
    bento: Bento,
    part: DeploymentPart,
    services: Mapping[str, str],
    site: Site,
    findings: Findings,
) -> Iterator[Workload]:
    """Its pods, and the debug pod beside them."""
    yield _workload(deployment, bento, part, services, site, findings, target=PRODUCTION)
    if is_stealing(part):
        yield _workload(deployment, bento, part, services, site, findings, target=DEBUG)


def workload_name(deployment: BentoDeployment, part: DeploymentPart, target: str) -> str:
    """The name of a Deployment."""
    name = deployment.metadata.name
    if part.is_server:
        return name if target == PRODUCTION else f"{name}-d"
    return f"{name}-runner-{'' if target == PRODUCTION else 'd-'}{part.index}"


def _workload(
    deployment: BentoDeployment,
    bento: Bento,
    part: DeploymentPart,
    services: Mapping[str, str],
    site: Site,
    findings: Findings,
    *,
    target: str,
) -> Workload:
    name = workload_name(deployment, part, target)
    pod = pod_of(deployment, bento, part, services, name, site, target=target)
    runner = part.runner or part.service
    return Workload(
        name=name,
        pod=pod,
        selector={SELECTOR: name},
        labels={**part.labels, **labels_of(deployment, bento.spec.tag, runner, target=target)},
        annotations=bento_annotations(bento.spec.tag),
        strategy=STRATEGIES[part.annotations.get(STRATEGY, "RollingUpdate")],
        scaler=_scaler(part, findings) if target == PRODUCTION else _one(),
        component=part.name,
    )


def _on_demand(
    deployment: BentoDeployment, bento: Bento, part: DeploymentPart, services: Mapping[str, str], site: Site
) -> OnDemandWorkload:
    name = deployment.metadata.name
    pod = pod_of(deployment, bento, part, services, name, site, target=PRODUCTION)
    return on_demand(part, pod, name, {**part.labels, **labels_of(deployment, bento.spec.tag)})


def _scaler(part: DeploymentPart, findings: Findings) -> HorizontalScaler:
    low, high = bounds_of(part.autoscaling)
    if low == 0:
        findings.warn(
            f"{part.path}.autoscaling.minReplicas: one replica stays: a Deployment's scaler cannot wake what is at"
            " zero; for an API server ownGateway.enabled can"
        )
    given = part.autoscaling
    metrics: tuple[Mapping[str, Any], ...] = tuple(given.metrics) if given is not None else ()
    return HorizontalScaler(
        min_replicas=max(low, 1),
        max_replicas=high,
        metrics=metrics or (resource_metric("cpu", "Utilization", CPU_PERCENT),),
        behavior=given.behavior if given is not None else None,
    )


def _one() -> HorizontalScaler:
    metric = resource_metric("cpu", "Utilization", CPU_PERCENT)
    return HorizontalScaler(min_replicas=1, max_replicas=1, metrics=(metric,))


def _services(deployment: BentoDeployment, bento: Bento, part: DeploymentPart, site: Site) -> Iterator[Service]:
    """The one that is known by name, and where a debug pod stands beside, one for each sort of pod."""
    name, tag = deployment.metadata.name, bento.spec.tag
    is_debugged = is_stealing(part)
    shared = is_on(part.annotations, asked.DEBUG_RECEIVES)
    runner = part.runner or part.service
    target = "" if shared or not is_debugged else PRODUCTION
    own = name if part.is_server else runner_service(name, tag, runner)
    is_proxied = part.is_server and has_proxy(site) and is_debugged
    yield _service(deployment, tag, own, part, target, "http-proxy" if is_proxied else "http")
    if is_debugged:
        for kind, one in (("p-", PRODUCTION), ("d-", DEBUG)):
            apart = f"{name}-{kind[:-1]}" if part.is_server else runner_service(name, tag, runner, kind=kind)
            yield _service(deployment, tag, apart, part, one, "http")


def _service(deployment: BentoDeployment, tag: str, name: str, part: DeploymentPart, target: str, port: str) -> Service:
    labels = labels_of(deployment, tag, part.runner or part.service, target=target or PRODUCTION)
    kept = (DEPLOYMENT, COMPONENT_TYPE, COMPONENT_NAME, *((TARGET,) if target else ()))
    return Service(
        name=name,
        selector={key: labels[key] for key in kept if key in labels},
        ports=(
            ServicePort(name="http", port=PORT, target=port),
            ServicePort(name="http-non-proxy", port=NON_PROXY_PORT, target="http"),
        ),
        labels={**part.labels, **labels},
        annotations=bento_annotations(tag),
    )


def _configs(
    deployment: BentoDeployment, bento: Bento, parts: list[DeploymentPart], site: Site
) -> Iterator[Mapping[str, Any]]:
    """The configuration of the proxies."""
    if not has_proxy(site):
        return
    server = next(part for part in parts if part.is_server)
    labels = labels_of(deployment, bento.spec.tag)
    name = deployment.metadata.name
    debug = f"{name}-d" if is_stealing(server) else ""
    for prefix in (name, *((f"{name}-d",) if debug else ())):
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{prefix}-envoy-config", "labels": labels},
            "data": {"envoy.yaml": envoy_config(server, debug, header=DEBUG_HEADER, port=NON_PROXY_PORT)},
        }
