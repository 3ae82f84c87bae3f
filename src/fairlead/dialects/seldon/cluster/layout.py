"""A SeldonDeployment as it lies in a cluster. Pure: what an installation decided is a value, what the cluster stores is
the world that is handed in. Every mistake is collected before anything is raised.
"""

from collections.abc import Iterator

from fairlead.dialects.base import Document, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.findings import Findings
from fairlead.dialects.seldon.annotations import warn_of_unknown
from fairlead.dialects.seldon.cluster.checking import NAME, check_pods
from fairlead.dialects.seldon.cluster.credentials import mentions_of
from fairlead.dialects.seldon.cluster.explainers import explainer_of, explainer_service, explainer_workload
from fairlead.dialects.seldon.cluster.exposures import exposures_of
from fairlead.dialects.seldon.cluster.installation import catalog_of, read_installation
from fairlead.dialects.seldon.cluster.programs import KAFKA, orchestrator_image
from fairlead.dialects.seldon.cluster.site import Engine, Site, sites
from fairlead.dialects.seldon.cluster.workloads import services_of, workloads_of
from fairlead.dialects.seldon.defaults import apply_defaults
from fairlead.dialects.seldon.lower import check_names, owner_of
from fairlead.dialects.seldon.reading import read
from fairlead.plan.layout import Layout, Routing, Service, Workload


def lay_out(doc: Document, *, settings: ClusterSettings, catalog: Catalog, world: World) -> Layout:
    """The layout of a valid document. Raises `InvalidManifest` with everything that no cluster would take."""
    findings = Findings()
    installation = read_installation(settings, world, findings)
    catalog = catalog_of(settings, catalog, world)
    defaulted = apply_defaults(read(doc), catalog=catalog, numbering=installation.numbering)
    check_names(defaulted.deployment, findings)
    check_pods(doc, findings)
    findings.check()
    found = sites(doc, defaulted, installation, catalog, world, findings)
    workloads = tuple(_workloads(found))
    services = tuple(_services(found))
    _check_objects(found, workloads, services)
    exposures = tuple(exposures_of(found)) if installation.routing is not Routing.NONE else ()
    _warn(found)
    findings.check()
    return Layout(
        owner=owner_of(defaulted.deployment),
        workloads=workloads,
        services=services,
        exposures=exposures,
        routing=installation.routing if installation.routing is not settings.routing else None,
        warnings=tuple(findings.warnings),
        mentions=tuple(dict.fromkeys(_mentions(found))),
    )


def _workloads(found: list[Site]) -> Iterator[Workload]:
    for site in found:
        yield from workloads_of(site)
        explainer = explainer_of(site)
        if explainer is not None:
            yield explainer_workload(site, explainer)


def _services(found: list[Site]) -> Iterator[Service]:
    for site in found:
        yield from services_of(site)
        explainer = explainer_of(site)
        if explainer is not None:
            yield explainer_service(site, explainer)


def _check_objects(found: list[Site], workloads: tuple[Workload, ...], services: tuple[Service, ...]) -> None:
    """Names that an API server would refuse, or that two objects would share, said where they come from."""
    findings = found[0].findings
    for kind, names in (("Deployment", [one.name for one in workloads]), ("Service", [one.name for one in services])):
        for name in dict.fromkeys(names):
            if not NAME.fullmatch(name):
                message = f"makes {kind} {name!r}; names there have lower-case letters, digits and '-' alone"
                findings.refuse("spec.predictors", message)
            if names.count(name) > 1:
                findings.refuse("spec.predictors", f"makes {kind} {name!r} twice; rename a predictor or a container")


def _mentions(found: list[Site]) -> Iterator[tuple[str, str]]:
    """What the deployment refers to and what a change of would change it."""
    for site in found:
        accounts = [context.node.service_account_name for context in site.outer.nodes()]
        accounts += [pod["spec"].get("serviceAccountName", "") for pod in site.pods]
        explainer = explainer_of(site)
        accounts += [explainer.service_account_name] if explainer is not None else []
        for account in accounts:
            yield from mentions_of(site, account)


def _warn(found: list[Site]) -> None:
    first = found[0]
    if first.sdep.spec.server_type == KAFKA and not first.installation.orchestrator.image:
        image = orchestrator_image(first.sdep, first.installation)
        first.findings.warn(f"spec.serverType: the orchestrator is {image}, because ours does not read Kafka's topics")
    for site in found:
        _warn_of_tls(site)
    warn_of_unknown(first.sdep, first.findings)


def _warn_of_tls(site: Site) -> None:
    where = f"{site.outer.path}.ssl"
    if site.certificate and site.engine is Engine.NONE:
        site.findings.warn(f"{where}: without an orchestrator nothing serves TLS")
    elif site.certificate and site.installation.routing in (Routing.GATEWAY_API, Routing.INGRESS):
        site.findings.warn(f"{where}: {site.key} answers over TLS alone; tell your gateway (a BackendTLSPolicy)")
