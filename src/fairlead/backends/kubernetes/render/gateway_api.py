"""Ways in as routes of the Gateway API: HTTPRoute, and GRPCRoute where the hosts are asked for nothing but gRPC.

A gateway takes a host's requests by one kind of route alone: of an HTTPRoute and a GRPCRoute for one host it refuses
the younger (documented at GRPCRoute, "hostname"). gRPC calls are HTTP requests whose path names the method, so the
rules for them stand in an HTTPRoute wherever the same host answers something else, or where a rule needs what GRPCRoute
lacks: timeouts, rewriting, any pattern of a path.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from fairlead.backends.kubernetes.render.backings import by_hosts, prefix_of
from fairlead.backends.kubernetes.render.durations import gateway_duration
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.backends.kubernetes.render.written import Written
from fairlead.plan.layout import Backing, Copying, Exposure, Layout, Rule

_GROUP = "gateway.networking.k8s.io"
_VERSION = f"{_GROUP}/v1"
DEFAULT_GATEWAY = "fairlead"
"""The Gateway that routes belong to where nothing else is said, in the operator's namespace."""

# `/package.Service/Method` with patterns in both places, as the manifests' dialects write it.
_OF_SERVICE = re.compile(r"\^?/(?P<service>\([^()]*\)|[^/()]+)/\.\*\$?")


def ways_in(exposure: Exposure, place: Place) -> Written:
    """The routes of an exposure; one for the rules of each set of hosts."""
    routes, warnings = [], list(_unsaid(exposure))
    for index, (hosts, rules) in enumerate(by_hosts(exposure).items()):
        name = exposure.name if index == 0 else f"{exposure.name}-{index + 1}"
        is_grpc = bool(hosts) and all(_is_plain_call(rule) for rule in rules)
        routes.append(_route(name, hosts, rules, exposure, place, is_grpc=is_grpc))
        warnings += [text for rule in rules for text in _elsewhere(exposure, rule)]
    return Written(objects=tuple(routes), warnings=tuple(warnings))


def ports_of_calls(layout: Layout) -> dict[str, frozenset[int]]:
    """The ports of Services that gRPC calls are led to. A gateway speaks HTTP/1.1 to a port that does not say."""
    ports: dict[str, set[int]] = {}
    for rule in (rule for exposure in layout.exposures for rule in exposure.rules if rule.is_grpc):
        for backing in (*rule.backings, *([rule.copying.to] if rule.copying else ())):
            ports.setdefault(backing.service, set()).add(backing.port)
    return {service: frozenset(found) for service, found in ports.items()}


def _route(
    name: str, hosts: Sequence[str], rules: Sequence[Rule], exposure: Exposure, place: Place, *, is_grpc: bool
) -> Object:
    spec: Object = {"parentRefs": _parents(exposure, place)}
    if hosts:
        spec["hostnames"] = list(hosts)
    spec["rules"] = [_rule(rule, is_grpc=is_grpc) for rule in rules]
    kind = "GRPCRoute" if is_grpc else "HTTPRoute"
    return place.made(_VERSION, kind, name, labels=exposure.labels, annotations=exposure.annotations, spec=spec)


def _parents(exposure: Exposure, place: Place) -> list[Object]:
    settings = place.settings
    namespace = settings.value("gateway.namespace") or settings.namespace
    named = exposure.gateways or (f"{namespace}/{settings.value('gateway.name', DEFAULT_GATEWAY)}",)
    return [_parent(gateway, place) for gateway in named]


def _parent(gateway: str, place: Place) -> Object:
    namespace, _, name = gateway.rpartition("/")
    return {"group": _GROUP, "kind": "Gateway", "name": name, "namespace": namespace or place.namespace}


def _rule(rule: Rule, *, is_grpc: bool) -> Object:
    written: Object = {}
    if match := _call_match(rule) if is_grpc else _match(rule):
        written["matches"] = [match]
    if filters := list(_filters(rule)):
        written["filters"] = filters
    written["backendRefs"] = [{**_reference(backing), "weight": backing.weight} for backing in rule.backings]
    if rule.timeout_s is not None:
        written["timeouts"] = {"request": gateway_duration(rule.timeout_s)}
    return written


def _match(rule: Rule) -> Object:
    match: Object = {}
    if rule.path_pattern:
        match["path"] = {"type": "RegularExpression", "value": rule.path_pattern}
    elif rule.path_prefix:
        match["path"] = {"type": "PathPrefix", "value": prefix_of(rule)}
    return match | _headers(rule)


def _call_match(rule: Rule) -> Object:
    match: Object = {}
    if service := _service_pattern(rule):
        match["method"] = {"type": "RegularExpression", "service": service}
    return match | _headers(rule)


def _headers(rule: Rule) -> Object:
    headers = [
        {"type": "RegularExpression" if header.is_regex else "Exact", "name": header.name, "value": header.value}
        for header in rule.headers
    ]
    return {"headers": headers} if headers else {}


def _is_plain_call(rule: Rule) -> bool:
    """Whether a GRPCRoute can say all of a rule."""
    is_simple = rule.timeout_s is None and rule.rewrite is None and not _host_set(rule)
    paths = not rule.path_pattern and prefix_of(rule) == "/"
    return rule.is_grpc and is_simple and (paths or bool(_service_pattern(rule)))


def _service_pattern(rule: Rule) -> str:
    found = _OF_SERVICE.fullmatch(rule.path_pattern)
    return found["service"] if found else ""


def _filters(rule: Rule) -> Iterator[Object]:
    kept = {name: value for name, value in rule.set_headers.items() if name.lower() != "host"}
    if kept:
        values = [{"name": name, "value": value} for name, value in kept.items()]
        yield {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": values}}
    if rewriting := _rewriting(rule):
        yield {"type": "URLRewrite", "urlRewrite": rewriting}
    if rule.copying is not None:
        yield {"type": "RequestMirror", "requestMirror": _mirror(rule.copying)}


def _rewriting(rule: Rule) -> Object:
    rewriting: Object = {}
    if host := _host_set(rule):
        rewriting["hostname"] = host
    if rule.rewrite is not None and not rule.path_pattern:
        rewriting["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": rule.rewrite or "/"}
    return rewriting


def _host_set(rule: Rule) -> str:
    return next((value for name, value in rule.set_headers.items() if name.lower() == "host"), "")


def _mirror(copying: Copying) -> Object:
    """A share of whole percents is a `percent`, any other a `fraction`; of all, neither is said."""
    mirror: Object = {"backendRef": _reference(copying.to)}
    if copying.percent is None:
        return mirror
    if float(copying.percent).is_integer():
        return {**mirror, "percent": int(copying.percent)}
    return {**mirror, "fraction": {"numerator": round(copying.percent * 100), "denominator": 10_000}}


def _reference(backing: Backing) -> dict[str, Any]:
    name, _, rest = backing.service.partition(".")
    reference = {"group": "", "kind": "Service", "name": name, "port": backing.port}
    return {**reference, "namespace": rest.split(".")[0]} if rest else reference


def _unsaid(exposure: Exposure) -> Iterator[str]:
    if any(rule.retries for rule in exposure.rules):
        yield f"{exposure.name}: routes of the Gateway API v1 have no field for retries: requests are tried once"
    if any(rule.rewrite is not None and rule.path_pattern for rule in exposure.rules):
        yield f"{exposure.name}: routes of the Gateway API rewrite prefixes alone: paths of patterns stay as they are"


def _elsewhere(exposure: Exposure, rule: Rule) -> Iterator[str]:
    for backing in rule.backings:
        if "." in backing.service:
            namespace = _reference(backing)["namespace"]
            yield (
                f"{exposure.name}: it leads to {backing.service}, which a ReferenceGrant in namespace {namespace} "
                "must allow"
            )
