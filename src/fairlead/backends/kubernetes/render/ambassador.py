"""Ways in as Ambassador's Mappings: one for each rule and backing, with fixed names that scripts look for. Version v2
writes them as objects, v1 as text in an annotation of the Service that each leads to.

Ambassador has no list of weighted backings: mappings of the same prefix share its requests, those with a `weight` get
so many percent, and the one without gets the rest. A backing with a weight of zero gets no mapping at all, because a
mapping that says zero is taken for one that says nothing.
"""

import re
from collections.abc import Iterable, Iterator

from fairlead.backends.kubernetes.render.backings import hosts_of, percentages, prefix_of
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.backends.kubernetes.render.written import Written
from fairlead.backends.kubernetes.text import yaml_of
from fairlead.plan.layout import AmbassadorTuning, Backing, Exposure, Rule

_VERSION = "getambassador.io/v2"
_ANNOTATION = "getambassador.io/config"
# Ambassador cuts idle connections after five minutes, which would cut requests that may take longer.
_IDLE_MS = 300_000


def ways_in(exposure: Exposure, place: Place) -> Written:
    """The mappings of an exposure, in the installation's version of Ambassador."""
    mappings = [found for rule in exposure.rules for found in _mappings(rule, exposure, place)]
    if place.settings.value("ambassador.version", "v2") == "v1":
        return _as_annotations(exposure, mappings)
    context = _tls_context(exposure, place)
    objects = [
        place.made(_VERSION, "Mapping", name, labels=exposure.labels, annotations=exposure.annotations, spec=spec)
        for name, _, spec in mappings
    ]
    return Written(objects=(*context, *objects), warnings=tuple(_unsaid(exposure)))


def _as_annotations(exposure: Exposure, mappings: "Iterable[_Named]") -> Written:
    """Every mapping as a document of its Service's annotation. A whole configuration of the user's is put on the first
    Service that requests are led to."""
    documents: dict[str, list[Object]] = {}
    for name, backing, spec in mappings:
        document = {"apiVersion": "ambassador/v1", "kind": "Mapping", "name": f"{name.replace('-', '_')}_mapping"}
        documents.setdefault(backing.service, []).append({**document, **spec})
    annotations = {service: {_ANNOTATION: "---\n" + yaml_of(found)} for service, found in documents.items()}
    own = (exposure.ambassador or AmbassadorTuning()).config
    if own:
        first = next(iter(annotations), "")
        annotations = {first: {_ANNOTATION: own}} if first else {}
    return Written(annotations=annotations)


_Named = tuple[str, Backing, Object]


def _mappings(rule: Rule, exposure: Exposure, place: Place) -> Iterator[_Named]:
    shares = percentages(rule.backings)
    live = [(backing, share) for backing, share in zip(rule.backings, shares, strict=True) if share > 0]
    for index, (backing, share) in enumerate(live):
        weight = {"weight": share} if index > 0 else {}
        yield _name(rule, backing, exposure), backing, _spec(rule, backing, exposure, place) | weight
    if rule.copying is not None:
        backing, percent = rule.copying.to, rule.copying.percent
        shadow: Object = {"shadow": True, "weight": 100 if percent is None else max(1, round(percent))}
        yield _name(rule, backing, exposure), backing, _spec(rule, backing, exposure, place) | shadow


def _name(rule: Rule, backing: Backing, exposure: Exposure) -> str:
    return "-".join(part for part in (exposure.family or exposure.name, backing.name, rule.name) if part)


def _spec(rule: Rule, backing: Backing, exposure: Exposure, place: Place) -> Object:
    tuning = exposure.ambassador or AmbassadorTuning()
    tag = f"{(exposure.family or exposure.name).partition('-')[0]}_{'grpc' if rule.is_grpc else 'http'}"
    spec: Object = _match(rule, exposure) | _headers(rule, tuning)
    spec |= {"service": f"{_address(backing, place)}:{backing.port}", "cluster_tag": tag}
    if rule.is_grpc:
        spec["grpc"] = True
    if rule.set_headers:
        spec["add_request_headers"] = {**rule.set_headers}
    return spec | _patience(rule, tuning) | _tuned(exposure, tuning)


def _match(rule: Rule, exposure: Exposure) -> Object:
    match: Object = {"prefix": f"{prefix_of(rule).rstrip('/')}/"}
    if rule.path_pattern:
        match = {"prefix": rule.path_pattern, "prefix_regex": True}
    # An empty rewrite is "leave the path as it is" to Ambassador; not saying it is "replace the prefix by a slash".
    match["rewrite"] = "" if rule.rewrite is None or rule.path_pattern else rule.rewrite
    hosts = hosts_of(exposure, rule)
    if len(hosts) == 1:
        match["host"] = hosts[0]
    elif hosts:
        match |= {"host": f"^({'|'.join(map(re.escape, hosts))})$", "host_regex": True}
    return match


def _headers(rule: Rule, tuning: AmbassadorTuning) -> Object:
    exact = {header.name: header.value for header in rule.headers if not header.is_regex}
    patterns = {header.name: header.value for header in rule.headers if header.is_regex}
    exact |= dict([tuning.header] if tuning.header else ())
    patterns |= dict([tuning.regex_header] if tuning.regex_header else ())
    return {name: found for name, found in (("headers", exact), ("regex_headers", patterns)) if found}


def _address(backing: Backing, place: Place) -> str:
    return backing.service if "." in backing.service else f"{backing.service}.{place.namespace}"


def _patience(rule: Rule, tuning: AmbassadorTuning) -> Object:
    written: Object = {}
    if rule.timeout_s is not None:
        timeout_ms = round(rule.timeout_s * 1000)
        written["timeout_ms"] = timeout_ms
        if timeout_ms > _IDLE_MS:
            written["idle_timeout_ms"] = timeout_ms
    if tuning.retries:
        written["retry_policy"] = {"retry_on": "gateway-error", "num_retries": tuning.retries}
    return written


def _tuned(exposure: Exposure, tuning: AmbassadorTuning) -> Object:
    written: Object = {}
    if tuning.circuit_breakers:
        written["circuit_breakers"] = [{**tuning.circuit_breakers}]
    if tuning.id:
        written["ambassador_id"] = [tuning.id]
    if exposure.tls_secret:
        written["tls"] = _context_name(exposure)
    return written


def _tls_context(exposure: Exposure, place: Place) -> list[Object]:
    """How Ambassador speaks to pods that end TLS themselves: the certificate that it knows them by."""
    if not exposure.tls_secret:
        return []
    tuning = exposure.ambassador or AmbassadorTuning()
    spec: Object = {"secret": exposure.tls_secret}
    if tuning.id:
        spec["ambassador_id"] = [tuning.id]
    return [place.made(_VERSION, "TLSContext", _context_name(exposure), labels=exposure.labels, spec=spec)]


def _context_name(exposure: Exposure) -> str:
    return f"{exposure.family or exposure.name}-tls"


def _unsaid(exposure: Exposure) -> Iterator[str]:
    if exposure.ambassador is not None and exposure.ambassador.config:
        yield f"{exposure.name}: a whole configuration of Ambassador is for its version v1; v2 gets ours"
