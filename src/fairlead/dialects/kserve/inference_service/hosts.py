"""The host names under which an InferenceService and its parts answer: those of its cluster's Services, and those that
clients outside know.

Knative builds outside names as `<name>.<namespace>.<domain>`, Standard mode by `domainTemplate`, a Go template. Of Go's
templates only fields are understood: `{{ .Name }}`, `{{ .Annotations.key }}`, `{{ index .Labels "key" }}`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from fairlead.errors import ConfigError

CLUSTER_DOMAIN = "svc.cluster.local"
DOMAIN_TEMPLATE = "{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}"

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_FIELD = re.compile(r"\.(\w+)(?:\.([\w./-]+))?$")
_INDEX = re.compile(r'index\s+\.(\w+)\s+"([^"]*)"$')
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """What an installation's settings say about addresses (`ingress` in the ConfigMap `inferenceservice-config`)."""

    domain: str = "localhost"
    domain_template: str = DOMAIN_TEMPLATE
    path_template: str = ""
    additional_domains: tuple[str, ...] = ()
    scheme: str = "http"
    is_disabled: bool = False
    has_virtual_host: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A service among services, as templates see it."""

    name: str
    namespace: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def inside(name: str, namespace: str) -> tuple[str, ...]:
    """The names of a cluster's Service, the full one first."""
    return f"{name}.{namespace}.{CLUSTER_DOMAIN}", f"{name}.{namespace}.svc", f"{name}.{namespace}"


def knative_host(name: str, namespace: str, ingress: Ingress) -> str:
    """The name that Knative gives to a service for clients outside."""
    return f"{name}.{namespace}.{ingress.domain}"


def standard_host(named: Named, name: str, ingress: Ingress) -> str:
    """The name that `domainTemplate` gives to a service or one of its parts. Raises `ConfigError`."""
    host = rendered("ingress.domainTemplate", ingress.domain_template, named, name, ingress.domain)
    if len(host) > _LONGEST or not _NAME.fullmatch(host):
        raise ConfigError(
            f"invalid domain name {host!r}: made of ingress.domainTemplate {ingress.domain_template!r}; a domain "
            "name is lower case letters, digits and '-', in parts of at most 63 characters with dots between them"
        )
    return host


def path_of(named: Named, ingress: Ingress) -> str:
    """The path that `pathTemplate` gives to a service, empty for no template. It begins with `/` and ends without."""
    if not ingress.path_template:
        return ""
    path = rendered("ingress.pathTemplate", ingress.path_template, named, named.name, ingress.domain)
    return "/" + path.strip("/")


def additional(host: str, ingress: Ingress) -> tuple[str, ...]:
    """The same name in the other domains of an installation."""
    head = host.removesuffix(f".{ingress.domain}")
    if head == host:
        return ()
    found = (f"{head}.{domain}" for domain in ingress.additional_domains if domain != ingress.domain)
    return tuple(dict.fromkeys(found))


def rendered(setting: str, template: str, named: Named, name: str, domain: str) -> str:
    """A template of `setting`, filled in. Raises `ConfigError` for what is not understood."""

    def value(match: re.Match[str]) -> str:
        action = match[1]
        found = _INDEX.fullmatch(action) or _FIELD.fullmatch(action)
        owner, key = (found[1], found[2]) if found else ("", None)
        if owner in plain and key is None:
            return plain[owner]
        if owner in maps and key is not None:
            return str(maps[owner].get(key, "<no value>"))
        raise ConfigError(
            f"{setting}: {match[0]!r} is not understood; a template may have .Name, .Namespace, .IngressDomain, "
            '.Annotations.<key>, .Labels.<key> and index .Annotations "<key>"'
        )

    plain = {"Name": name, "Namespace": named.namespace, "IngressDomain": domain}
    maps = {"Annotations": named.annotations, "Labels": named.labels}
    return _ACTION.sub(value, template)


def possible_owners(host: str, ingress: Ingress) -> tuple[tuple[str, str], ...]:
    """The namespaces and names of services that this name may have been made from, by Knative's rule or by
    `domainTemplate`. A template that is made of more than names tells nobody whose a name is."""
    by_knative = ("", "name", ".", "namespace", f".{ingress.domain}")
    return tuple(dict.fromkeys([*_apart(host, by_knative), *_apart(host, _pieces(ingress))]))


@lru_cache(maxsize=16)
def _pieces(ingress: Ingress) -> tuple[str, ...]:
    """Text and words of `domainTemplate` in turn."""
    pieces, rest = [""], 0
    for match in _ACTION.finditer(ingress.domain_template):
        pieces[-1] += ingress.domain_template[rest : match.start()]
        rest = match.end()
        if match[1] == ".IngressDomain":
            pieces[-1] += ingress.domain
        else:
            pieces += [match[1].removeprefix(".").lower(), ""]
    pieces[-1] += ingress.domain_template[rest:]
    return tuple(pieces)


def _apart(host: str, pieces: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every way to take a host apart: a dash may belong to either name."""
    if len(pieces) != 5 or {pieces[1], pieces[3]} != {"name", "namespace"}:
        return
    before, first, between, second, after = pieces
    if not (host.startswith(before) and host.endswith(after)):
        return
    middle = host[len(before) : len(host) - len(after)]
    at = middle.find(between, 1)
    while 0 < at < len(middle) - len(between):
        words = {first: middle[:at], second: middle[at + len(between) :]}
        yield words["namespace"], words["name"]
        at = middle.find(between, at + 1)
