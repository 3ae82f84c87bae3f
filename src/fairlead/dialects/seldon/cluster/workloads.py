"""A predictor's Deployments and Services."""

from collections.abc import Iterator

from fairlead.dialects.seldon import annotations as settings
from fairlead.dialects.seldon import names
from fairlead.dialects.seldon.cluster.engine import (
    CONTAINER,
    orchestrator_container,
    prometheus_annotations,
    replicas_apart,
    service_ports,
)
from fairlead.dialects.seldon.cluster.labels import (
    APP,
    HAS_ORCHESTRATOR,
    ID,
    annotations,
    has_orchestrator,
    kind_label,
    orchestrator_labels,
    pod_labels,
    selector,
    service_label,
    shared_labels,
)
from fairlead.dialects.seldon.cluster.pods import finish, pod_template
from fairlead.dialects.seldon.cluster.programs import orchestrator_image
from fairlead.dialects.seldon.cluster.raw import Json
from fairlead.dialects.seldon.cluster.scaling import budget_of, replicas_of, scaler_of
from fairlead.dialects.seldon.cluster.site import Engine, Site
from fairlead.plan.layout import PodTemplate, Service, ServicePort, Workload

STRATEGY: Json = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}
HEADLESS = "seldon.io/headless-svc"


def workloads_of(site: Site) -> Iterator[Workload]:
    """The Deployments; the orchestrator's own last."""
    for index, pod in enumerate(site.pods):
        if pod["spec"]["containers"]:
            yield _workload(site, index)
    if site.engine is Engine.APART:
        yield _orchestrator(site)


def services_of(site: Site) -> Iterator[Service]:
    """The predictor's Service, then one for each container of the graph."""
    http, grpc = service_ports(site)
    labels = {**shared_labels(site), APP: site.key}
    yield Service(
        name=site.key,
        selector={APP: site.key},
        ports=_ports(http, grpc),
        labels=labels,
        annotations=site.predictor.annotations,
        is_headless=settings.of_deployment(site.sdep).get(HEADLESS, "false") != "false",
    )
    for index, _ in enumerate(site.pods):
        for context in site.nodes_in(index):
            name = names.container_service(site.sdep, site.predictor, context.node.name)
            own = {service_label(context.node.name): name}
            yield Service(
                name=name,
                selector=own,
                ports=_ports(context.ports.http, context.ports.grpc),
                labels={**labels, **own, **kind_label(context)},
                annotations=site.predictor.annotations,
            )


def _ports(http: int, grpc: int) -> tuple[ServicePort, ...]:
    named = (("http", http), ("grpc", grpc))
    return tuple(ServicePort(name=name, port=number, target=number) for name, number in named)


def _workload(site: Site, index: int) -> Workload:
    labels = pod_labels(site, index)
    if has_orchestrator(site, index):
        labels = {**labels, HAS_ORCHESTRATOR: "true"}
    return Workload(
        name=site.deployment_name(index),
        pod=pod_template(site, index),
        selector=selector(site, index),
        labels=labels,
        annotations=annotations(site, [site.predictor.component_specs[index].metadata.annotations]),
        replicas=replicas_of(site, index),
        strategy=STRATEGY,
        progress_deadline_s=site.predictor.progress_deadline_seconds,
        scaler=scaler_of(site, index),
        budget=budget_of(site, index),
        component=site.predictor.name,
    )


def _orchestrator(site: Site) -> Workload:
    labels = orchestrator_labels(site)
    spec: Json = {"containers": [orchestrator_container(site)]}
    account = site.installation.orchestrator.service_account
    if account:
        spec["serviceAccountName"] = account
    finish(site, spec, is_secure=True)
    is_own = not orchestrator_image(site.sdep, site.installation)
    return Workload(
        name=names.orchestrator(site.sdep, site.predictor),
        pod=PodTemplate(
            spec=spec,
            labels=labels,
            annotations={**prometheus_annotations(site), **annotations(site)},
            own=frozenset({CONTAINER} if is_own else ()),
        ),
        selector={ID: labels[ID], APP: labels[APP]},
        labels=labels,
        annotations=annotations(site),
        replicas=replicas_apart(site),
        strategy=STRATEGY,
        component=site.predictor.name,
    )
