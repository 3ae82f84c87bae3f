"""How bentos are reached from outside: what the ConfigMap `network` says, over the values of an installation.

Yatai looks for it in the namespace of its deployment operator, `yatai-deployment`; it is read there and in our own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from fairlead.dialects.base import Document, World
from fairlead.dialects.clusters import ClusterSettings
from fairlead.errors import ConfigError

NAMESPACE, NAME = "yatai-deployment", "network"
MAGIC_DNS = "sslip.io"
_TLS_MODES = ("none", "auto", "static")
_VALUES: Mapping[str, str] = {
    "domain-suffix": "domainSuffix",
    "ingress-class": "ingressClass",
    "ingress-path": "ingressPath",
    "ingress-path-type": "ingressPathType",
    "ingress-tls-mode": "ingressTlsMode",
    "ingress-static-tls-secret-name": "ingressStaticTlsSecretName",
}
"""Keys of the ConfigMap and the names of Yatai's chart below `layers.network`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """`domain_suffix` is what host names end in; empty when nobody has said or found out."""

    domain_suffix: str = ""
    ingress_class: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    path: str = "/"
    path_type: str = "ImplementationSpecific"
    tls_mode: str = "none"
    tls_secret: str = ""

    def host(self, name: str, namespace: str) -> str:
        """The host name of a deployment; empty without a suffix."""
        return f"{name}-{namespace}.{self.domain_suffix}" if self.domain_suffix else ""

    def secret(self, name: str, asked: str) -> str:
        """The Secret with a deployment's certificate: the one it asks for, or the installation's; empty for none."""
        if asked or self.tls_mode == "none":
            return asked
        return name if self.tls_mode == "auto" else self.tls_secret


def read_network(world: World, settings: ClusterSettings | None = None, *, suffix: str = "") -> Network:
    """What is said. `suffix` is that of one machine. Raises `ConfigError`."""
    said = _said(world, settings)
    mode = said.get("ingress-tls-mode") or "none"
    if mode not in _TLS_MODES:
        raise ConfigError(f"ingress-tls-mode of the ConfigMap {NAME}: {mode!r}; expected {', '.join(_TLS_MODES)}")
    if mode == "static" and not said.get("ingress-static-tls-secret-name"):
        raise ConfigError(f"ingress-static-tls-secret-name of the ConfigMap {NAME} is needed: the TLS mode is static")
    return Network(
        domain_suffix=(said.get("domain-suffix") or suffix).strip("."),
        ingress_class=said.get("ingress-class") or "",
        annotations=_annotations(said.get("ingress-annotations") or ""),
        path=said.get("ingress-path") or "/",
        path_type=said.get("ingress-path-type") or "ImplementationSpecific",
        tls_mode=mode,
        tls_secret=said.get("ingress-static-tls-secret-name") or "",
    )


def _said(world: World, settings: ClusterSettings | None) -> dict[str, str]:
    given: dict[str, str] = {}
    if settings is not None:
        values = {key: settings.value(f"bento.network.{name}") for key, name in _VALUES.items()}
        given = {key: str(value) for key, value in values.items() if value is not None}
        annotations = settings.value("bento.network.ingressAnnotations")
        given |= {"ingress-annotations": json.dumps(annotations)} if annotations else {}
    stored = world.get("ConfigMap", NAMESPACE, NAME)
    if stored is None and settings is not None:
        stored = world.get("ConfigMap", settings.namespace, NAME)
    return {**given, **{key: text for key, text in _data(stored).items() if text}}


def _data(stored: Document | None) -> Mapping[str, str]:
    return (stored or {}).get("data") or {}


def _annotations(text: str) -> dict[str, str]:
    try:
        found = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise ConfigError(f"ingress-annotations of the ConfigMap {NAME} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"ingress-annotations of the ConfigMap {NAME} must be a JSON object")
    return {str(key): str(value) for key, value in found.items()}
