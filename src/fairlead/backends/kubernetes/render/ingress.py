"""Ways in as plain Ingresses, which know hosts, path prefixes and one backing for each. Whatever else a rule asks for
is told in a warning, and a rule that would take requests that it is not for is left out.

Taking a prefix off a path is in no field of an Ingress. ingress-nginx does it by annotations, which hold for every path
of the object, so rules that want it are in an object of their own (`ingress.rewrite: nginx`, or a class named `nginx`).
"""

from collections.abc import Iterator

from fairlead.backends.kubernetes.render.backings import hosts_of, percentages, prefix_of
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.backends.kubernetes.render.written import Written
from fairlead.plan.layout import Backing, Exposure, Rule

_NGINX = {"nginx.ingress.kubernetes.io/use-regex": "true", "nginx.ingress.kubernetes.io/rewrite-target": "/$2"}
# The one character of names that means something else in a pattern.
_DOT = r"\."
_ANY_PATH = frozenset({"", "/.*", "^/.*$", "^/.*"})
_ELSEWHERE = "routing gateway-api, istio or ambassador can"


def ways_in(exposure: Exposure, place: Place) -> Written:
    """The Ingress of an exposure, and a second one for rules that rewrite paths."""
    said = [rule for rule in exposure.rules if _is_said(rule)]
    rewriting = [rule for rule in said if rule.rewrite is not None and prefix_of(rule) != "/"]
    others = [rule for rule in said if rule not in rewriting]
    is_nginx = _is_nginx(exposure, place)
    names = [exposure.name, f"{exposure.name}-rewrite"] if others else ["", exposure.name]
    objects = [_ingress(names[0], others, exposure, place, {})] if others else []
    if rewriting:
        objects.append(_ingress(names[1], rewriting, exposure, place, _NGINX if is_nginx else {}))
    return Written(objects=tuple(objects), warnings=tuple(_unsaid(exposure, has_rewriting=is_nginx or not rewriting)))


def _is_nginx(exposure: Exposure, place: Place) -> bool:
    asked = place.settings.value("ingress.rewrite")
    return asked == "nginx" if asked is not None else _class(exposure, place) == "nginx"


def _class(exposure: Exposure, place: Place) -> str:
    return exposure.ingress_class or str(place.settings.value("ingress.className", ""))


def _is_said(rule: Rule) -> bool:
    is_reachable = any("." not in backing.service for backing in rule.backings)
    return not rule.headers and rule.path_pattern in _ANY_PATH and is_reachable


def _ingress(name: str, rules: list[Rule], exposure: Exposure, place: Place, annotations: dict[str, str]) -> Object:
    hosts: dict[str, list[Object]] = {}
    for rule in rules:
        for host in hosts_of(exposure, rule) or ("",):
            hosts.setdefault(host, []).append(_path(rule, exposure.path_type, has_regex=bool(annotations)))
    spec: Object = {"ingressClassName": _class(exposure, place)} if _class(exposure, place) else {}
    if exposure.certificate:
        spec["tls"] = [{"hosts": [host for host in hosts if host], "secretName": exposure.certificate}]
    spec["rules"] = [{**({"host": host} if host else {}), "http": {"paths": paths}} for host, paths in hosts.items()]
    return place.made(
        "networking.k8s.io/v1",
        "Ingress",
        name,
        labels=exposure.labels,
        annotations={**annotations, **exposure.annotations},
        spec=spec,
    )


def _path(rule: Rule, path_type: str, *, has_regex: bool) -> Object:
    prefix = prefix_of(rule)
    path = {"path": prefix, "pathType": path_type or "Prefix"}
    if has_regex:
        path = {"path": f"{prefix.replace('.', _DOT)}(/|$)(.*)", "pathType": "ImplementationSpecific"}
    chosen = _heaviest(rule)
    return {**path, "backend": {"service": {"name": chosen.service, "port": {"number": chosen.port}}}}


def _heaviest(rule: Rule) -> Backing:
    here = [backing for backing in rule.backings if "." not in backing.service]
    return max(here, key=lambda backing: backing.weight)


def _unsaid(exposure: Exposure, *, has_rewriting: bool) -> Iterator[str]:
    for rule in exposure.rules:
        where = f"{exposure.name}: rule {rule.name}" if rule.name else exposure.name
        if not _is_said(rule):
            yield f"{where}: an Ingress cannot match what it asks for, so it is left out; {_ELSEWHERE}"
            continue
        yield from (f"{where}: an Ingress cannot {what}; {_ELSEWHERE}" for what in _missing(rule))
    if not has_rewriting:
        yield (
            f"{exposure.name}: an Ingress cannot take a prefix off a path: set ingress.rewrite to nginx for "
            "ingress-nginx, or write your controller's annotations into the manifest"
        )


def _missing(rule: Rule) -> Iterator[str]:
    shares = [share for share in percentages(rule.backings) if share > 0]
    if len(shares) > 1:
        yield f"share requests by weight, so {_heaviest(rule).service} gets all"
    if rule.copying is not None:
        yield f"copy requests to {rule.copying.to.service}"
    if rule.set_headers:
        yield f"set headers ({', '.join(rule.set_headers)})"
    if rule.timeout_s is not None or rule.retries is not None:
        yield "limit or repeat requests, so its controller's defaults hold"
