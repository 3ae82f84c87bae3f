"""Ways in as Istio writes them: a VirtualService for an exposure, and a DestinationRule for each Service whose pods are
meant by their labels. They are of networking.istio.io/v1beta1, which every Istio that runs on a supported Kubernetes
serves; v1 is younger than some of those."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from fairlead.backends.kubernetes.render.backings import percentages, prefix_of
from fairlead.backends.kubernetes.render.durations import proto_duration
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.backends.kubernetes.render.written import Written
from fairlead.plan.layout import Backing, Exposure, Rule

_VERSION = "networking.istio.io/v1beta1"
DEFAULT_GATEWAY = "istio-system/seldon-gateway"
"""The gateway of the upstream chart's `istio.gateway`."""


def ways_in(exposure: Exposure, place: Place) -> Written:
    """The objects of an exposure: what routes name comes before the routes."""
    return Written(objects=(*_destinations(exposure, place), _virtual_service(exposure, place)))


def _virtual_service(exposure: Exposure, place: Place) -> Object:
    spec = {
        "hosts": list(exposure.hosts) or ["*"],
        "gateways": list(exposure.gateways) or [place.settings.value("istio.gateway", DEFAULT_GATEWAY)],
        "http": [_rule(rule, place) for rule in exposure.rules],
    }
    return place.made(
        _VERSION,
        "VirtualService",
        exposure.name,
        labels=exposure.labels,
        annotations=exposure.annotations,
        spec=spec,
    )


def _rule(rule: Rule, place: Place) -> Object:
    written: Object = {"name": rule.name} if rule.name else {}
    if matches := _matches(rule):
        written["match"] = matches
    if rule.rewrite is not None and not rule.path_pattern:
        written["rewrite"] = {"uri": _whole_segments(rule.rewrite.rstrip("/") or "/")}
    shares = percentages(rule.backings)
    written["route"] = [_route(*pair, place) for pair in zip(rule.backings, shares, strict=True)]
    if rule.set_headers:
        written["headers"] = {"request": {"set": {**rule.set_headers}}}
    return written | _copying(rule, place) | _patience(rule)


def _matches(rule: Rule) -> list[Object]:
    """Conditions of one match all hold; the matches are alternatives, one for each host that the rule is for."""
    match: Object = {}
    if rule.path_pattern:
        match["uri"] = {"regex": rule.path_pattern}
    elif rule.path_prefix:
        match["uri"] = {"prefix": _whole_segments(prefix_of(rule))}
    if rule.headers:
        match["headers"] = {
            header.name: {"regex" if header.is_regex else "exact": header.value} for header in rule.headers
        }
    if not rule.hosts:
        return [match] if match else []
    return [{"authority": {"regex": rf"^{re.escape(host)}(?::\d{{1,5}})?$"}, **match} for host in rule.hosts]


def _whole_segments(prefix: str) -> str:
    """Istio compares text: without a slash at its end, `/iris` would match `/irises` too."""
    return prefix if prefix == "/" else f"{prefix}/"


def _route(backing: Backing, share: int, place: Place) -> Object:
    return {"destination": _destination(backing, place), "weight": share}


def _destination(backing: Backing, place: Place) -> Object:
    destination: Object = {"host": place.host_of(backing.service)}
    if backing.subset:
        destination["subset"] = _subset_name(backing)
    return {**destination, "port": {"number": backing.port}}


def _subset_name(backing: Backing) -> str:
    return backing.name or backing.service


def _copying(rule: Rule, place: Place) -> Object:
    if rule.copying is None:
        return {}
    mirror: Object = {"mirror": _destination(rule.copying.to, place)}
    if rule.copying.percent is not None:
        mirror["mirrorPercentage"] = {"value": rule.copying.percent}
    return mirror


def _patience(rule: Rule) -> Object:
    written: Object = {}
    if rule.timeout_s is not None:
        written["timeout"] = proto_duration(rule.timeout_s)
    if rule.retries is not None:
        written["retries"] = {"attempts": rule.retries.attempts, "retryOn": rule.retries.on}
        if rule.retries.per_try_timeout_s is not None:
            written["retries"]["perTryTimeout"] = proto_duration(rule.retries.per_try_timeout_s)
    return written


def _destinations(exposure: Exposure, place: Place) -> list[Object]:
    """One for each Service, with the subsets of it that any rule means."""
    subsets: dict[str, dict[str, dict[str, str]]] = {}
    for backing in _meant(exposure.rules):
        if backing.subset:
            subsets.setdefault(backing.service, {})[_subset_name(backing)] = {**backing.subset}
    return [_destination_rule(service, named, exposure, place) for service, named in subsets.items()]


def _meant(rules: Iterable[Rule]) -> Iterator[Backing]:
    for rule in rules:
        yield from rule.backings
        if rule.copying is not None:
            yield rule.copying.to


def _destination_rule(service: str, subsets: dict[str, dict[str, str]], exposure: Exposure, place: Place) -> Object:
    policy: dict[str, Any] = {"connectionPool": {"http": {"idleTimeout": "60s"}}}
    if mode := exposure.tls_mode or place.settings.value("istio.tlsMode", ""):
        policy = {"tls": {"mode": mode}}
    spec = {
        "host": place.host_of(service),
        "trafficPolicy": policy,
        "subsets": [{"name": name, "labels": labels} for name, labels in subsets.items()],
    }
    return place.made(_VERSION, "DestinationRule", service, labels=exposure.labels, spec=spec)
