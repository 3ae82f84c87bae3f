"""The ways into a deployment from outside the cluster, by the rules that all of Seldon's gateways share:
`/seldon/<namespace>/<name>/…` over REST, and metadata `seldon` and `namespace` over gRPC, shared by weight and copied
to the shadow. What only one router knows (its annotations, hosts, retries) is said to that one.
"""

from collections.abc import Iterator, Sequence

from fairlead.dialects.seldon import annotations, names
from fairlead.dialects.seldon.cluster.engine import service_ports
from fairlead.dialects.seldon.cluster.explainers import explainer_of, explainer_port
from fairlead.dialects.seldon.cluster.installation import is_on
from fairlead.dialects.seldon.cluster.labels import shared_labels, subset_labels
from fairlead.dialects.seldon.cluster.site import Site
from fairlead.dialects.seldon.cluster.tuning import ambassador_tuning, backing_tls, gateways
from fairlead.dialects.seldon.lower_routes import SHORT_PATH_NAMESPACE
from fairlead.plan.layout import Backing, Copying, Exposure, HeaderRule, Retries, Routing, Rule

ISTIO_TIMEOUT = "seldon.io/istio-retries-timeout"
AMBASSADOR_TIMEOUT_S = 3.0
"""Ambassador's own default, which its users count on."""
_CALLS = {
    Routing.ISTIO: ".*tensorflow.*|.*seldon.protos.*|.*inference.*",
    Routing.AMBASSADOR: "/(seldon.protos.*|tensorflow.serving.*|inference.*)/.*",
}


def exposures_of(sites: Sequence[Site]) -> Iterator[Exposure]:
    """The way in that the predictors share, then one for each explainer."""
    first = sites[0]
    rules = tuple(_rules(sites))
    if rules:
        yield _exposure(
            first, names.seldon_id(first.sdep), f"seldon-{first.namespace}-{first.sdep.metadata.name}", rules
        )
    for site in sites:
        explainer = explainer_of(site)
        if explainer is not None:
            name = names.cut(f"{names.explainer(site.sdep, site.predictor)}-http")
            family = f"seldon-{site.namespace}-{site.sdep.metadata.name}-explainer"
            port = explainer_port(site, explainer)
            yield _exposure(site, name, family, tuple(_explainer_rules(site, port)), is_predictor=False)


def _exposure(site: Site, name: str, family: str, rules: tuple[Rule, ...], *, is_predictor: bool = True) -> Exposure:
    routing = site.installation.routing
    mode = str(site.installation.settings.value("istio.tlsMode", "")) if routing is Routing.ISTIO else ""
    return Exposure(
        name=name,
        rules=rules,
        hosts=tuple(host for host in _hosts(site) if host),
        labels=shared_labels(site),
        gateways=gateways(site),
        family=family,
        is_after_ready=True,
        ambassador=ambassador_tuning(site) if routing is Routing.AMBASSADOR else None,
        tls_mode=mode,
        tls_secret=backing_tls(site) if is_predictor else "",
    )


def _hosts(site: Site) -> tuple[str, ...]:
    """Hosts are said to Istio; routers that are new to a manifest take them for theirs, Ambassador never did."""
    if site.installation.routing is Routing.AMBASSADOR:
        return ()
    return annotations.istio_hosts(annotations.of_deployment(site.sdep))


def _rules(sites: Sequence[Site]) -> Iterator[Rule]:
    site = sites[0]
    for suffix, called in _called(site):
        guards = _guards(site, called)
        for rest, grpc, prefix, metadata in _doors(site, called):
            yield from _rule(sites, f"{rest}{suffix}", prefix=prefix, headers=guards)
            yield from _rule(sites, f"{grpc}{suffix}", headers=(*metadata, *guards), is_grpc=True)


def _called(site: Site) -> Iterator[tuple[str, str]]:
    """The names that the deployment is asked by, and what tells their rules apart. The public one takes the place of
    its own under Ambassador and means nothing to Istio, as upstream; other routers take both."""
    name = site.sdep.metadata.name
    public = annotations.of_deployment(site.sdep).get(annotations.SERVICE_NAME, "") or name
    routing = site.installation.routing
    if routing is Routing.ISTIO or public == name:
        yield "", name
    elif routing is Routing.AMBASSADOR:
        yield "", public
    else:
        yield "", public
        yield "-own", name


def _guards(site: Site, called: str) -> tuple[HeaderRule, ...]:
    """Headers that requests must have. Ambassador is told of them apart, Istio never was, and a name of the
    deployment's own needs none."""
    settings = annotations.of_deployment(site.sdep)
    public = settings.get(annotations.SERVICE_NAME, "") or site.sdep.metadata.name
    if site.installation.routing in (Routing.ISTIO, Routing.AMBASSADOR) or called != public:
        return ()
    return tuple(
        HeaderRule(name=one.name, value=one.value, is_regex=one.is_regex)
        for one in annotations.headers(settings, site.findings)
    )


def _doors(site: Site, called: str) -> Iterator[tuple[str, str, str, tuple[HeaderRule, ...]]]:
    """Path and metadata of the deployment, and the short ones without a namespace where they can mean only one: for an
    Ambassador of one namespace, and elsewhere in the namespace `default` alone."""
    asked = HeaderRule(name="seldon", value=called)
    namespace = HeaderRule(name="namespace", value=site.namespace)
    yield "rest", "grpc", f"/seldon/{site.namespace}/{called}/", (asked, namespace)
    installation = site.installation
    is_single = is_on(installation.settings.value("ambassador.singleNamespace", False))
    is_ambassador = installation.routing is Routing.AMBASSADOR
    is_default = site.namespace == SHORT_PATH_NAMESPACE and installation.routing is not Routing.ISTIO
    if is_single if is_ambassador else is_default:
        yield "rest-short", "grpc-short", f"/seldon/{called}/", (asked,)


def _rule(
    sites: Sequence[Site],
    name: str,
    *,
    prefix: str = "",
    headers: tuple[HeaderRule, ...] = (),
    is_grpc: bool = False,
) -> Iterator[Rule]:
    backings = _backings(sites, is_grpc=is_grpc)
    if not backings:
        return
    site = sites[0]
    yield Rule(
        name=name,
        backings=backings,
        path_prefix=prefix,
        path_pattern=_CALLS.get(site.installation.routing, "") if is_grpc else "",
        headers=headers,
        rewrite=None if is_grpc else "/",
        copying=_copying(sites, is_grpc=is_grpc),
        timeout_s=_timeout_s(site, is_grpc=is_grpc),
        retries=_retries(site),
        is_grpc=is_grpc,
    )


def _backings(sites: Sequence[Site], *, is_grpc: bool) -> tuple[Backing, ...]:
    """Exact weights: traffic 0 gets nothing, and a lone predictor gets everything."""
    live = [site for site in sites if not site.predictor.shadow]
    if len(live) == 1:
        return (_backing(live[0], 100, is_grpc=is_grpc),)
    for site in live:
        if site.predictor.traffic < 0:
            message = f"traffic {site.predictor.traffic} is negative; a share is 0 to 100"
            site.findings.refuse(f"{site.outer.path}.traffic", message)
    return tuple(_backing(site, site.predictor.traffic, is_grpc=is_grpc) for site in live)


def _backing(site: Site, weight: int, *, is_grpc: bool) -> Backing:
    http, grpc = service_ports(site)
    return Backing(
        service=site.key,
        port=grpc if is_grpc else http,
        name=site.predictor.name,
        weight=weight,
        subset=subset_labels(site),
    )


def _copying(sites: Sequence[Site], *, is_grpc: bool) -> Copying | None:
    """A shadow without traffic gets a copy of everything."""
    shadow = next((site for site in sites if site.predictor.shadow), None)
    if shadow is None:
        return None
    traffic = shadow.predictor.traffic
    return Copying(to=_backing(shadow, 100, is_grpc=is_grpc), percent=float(traffic) if traffic else None)


def _explainer_rules(site: Site, port: int) -> Iterator[Rule]:
    service = names.explainer(site.sdep, site.predictor)
    yield Rule(
        name="rest",
        backings=(Backing(service=service, port=port, name=site.predictor.name, subset=subset_labels(site)),),
        path_prefix=f"/seldon/{site.namespace}/{site.sdep.metadata.name}-explainer/{site.predictor.name}/",
        rewrite="/",
        timeout_s=_timeout_s(site, is_grpc=False),
        retries=_retries(site),
    )


def _timeout_s(site: Site, *, is_grpc: bool) -> float | None:
    name = annotations.GRPC_TIMEOUT if is_grpc else annotations.REST_TIMEOUT
    asked = annotations.timeout_s(annotations.of_deployment(site.sdep), name, site.findings)
    if asked is None and site.installation.routing is Routing.AMBASSADOR:
        return AMBASSADOR_TIMEOUT_S
    return asked


def _retries(site: Site) -> Retries | None:
    """Istio's own annotations; what Ambassador's say is told to it apart, and to routers that are new here as well."""
    settings, routing = annotations.of_deployment(site.sdep), site.installation.routing
    if routing is Routing.AMBASSADOR:
        return None
    attempts = annotations.number(settings, annotations.ISTIO_RETRIES, site.findings) or 0
    if attempts:
        within = annotations.number(settings, ISTIO_TIMEOUT, site.findings) or 1
        return Retries(attempts=attempts, per_try_timeout_s=float(within))
    attempts = annotations.number(settings, annotations.RETRIES, site.findings) or 0
    return Retries(attempts=attempts) if attempts and routing is not Routing.ISTIO else None
