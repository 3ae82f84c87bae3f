"""The way into an LLMInferenceService: paths below its namespace and name, and for whoever names its model in a header,
OpenAI's own paths. Nothing but Gateway API or a mesh can take such a prefix away again."""

from collections.abc import Iterator

from fairlead.dialects.base import Document
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.llm.addresses import MODEL_HEADER, addresses_of
from fairlead.dialects.kserve.llm.cluster import names
from fairlead.dialects.kserve.llm.schema import LlmSpec, Router
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import Backing, Exposure, HeaderRule, Routing, Rule

_ENDPOINTS = {
    "completions": "/v1/completions",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}
_ABLE = (Routing.GATEWAY_API, Routing.ISTIO, Routing.AMBASSADOR)


def ways_of(doc: Document, spec: LlmSpec, model: str, site: Site, findings: Findings) -> tuple[Exposure, ...]:
    """The way in, where the manifest asks for one."""
    if not has_route(spec):
        return ()
    routing = routing_of(site)
    if routing not in _ABLE:
        findings.warn(f"spec.router.route: {routing} cannot lead paths to a service; it is found inside the cluster")
        return ()
    addresses = addresses_of(doc, model, site.config, site.world)
    if addresses.rival:
        for sentence in addresses.warnings():
            if addresses.rival in sentence:
                findings.warn(sentence)
    name = str(doc["metadata"]["name"])
    rules = _rules(addresses.path, names.service(name), "" if addresses.rival else model)
    return (
        Exposure(
            name=names.route(name),
            rules=tuple(rules),
            labels={**(doc["metadata"].get("labels") or {}), "app.kubernetes.io/name": name},
            gateways=_gateways(spec.router, site),
        ),
    )


def routing_of(site: Site) -> Routing:
    """What the way in is written as. Its paths need more than a plain Ingress, whatever else is exposed by one."""
    return Routing.GATEWAY_API if site.config.ingress.enable_gateway_api else site.settings.routing


def has_route(spec: LlmSpec) -> bool:
    """Whether a route is to be made: one is asked for, and none of somebody's own is named."""
    route = spec.router.route if spec.router is not None else None
    return route is not None and not (route.http is not None and route.http.refs)


def _rules(path: str, service: str, model: str) -> Iterator[Rule]:
    backings = (Backing(service=service, port=names.PORT),)
    for name, endpoint in _ENDPOINTS.items():
        yield Rule(name=name, backings=backings, path_prefix=f"{path}{endpoint}", rewrite=endpoint)
    yield Rule(name="all", backings=backings, path_prefix=path, rewrite="/")
    if model:
        header = HeaderRule(name=MODEL_HEADER, value=model)
        yield Rule(name="model", backings=backings, path_prefix="/v1", headers=(header,))


def _gateways(router: Router | None, site: Site) -> tuple[str, ...]:
    refs = router.gateway.refs if router is not None and router.gateway is not None else []
    named = tuple(f"{one.namespace}/{one.name}" if one.namespace else one.name for one in refs if one.name)
    default = site.config.ingress.kserve_ingress_gateway
    return named or ((default,) if default else ())
