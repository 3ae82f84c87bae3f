"""The way into a deployment from outside: a host name of its own, `<name>-<namespace>.<suffix>`.

Where nobody said the suffix, it is found out: an Ingress tells, by its status, the address that it is reached at, and
`<address>.sslip.io` is a suffix. Routes of the Gateway API do not tell, so a deployment is at a path there until
somebody says the suffix in the ConfigMap `network`. A host that a deployment once had stays.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from fairlead.dialects.base import Document
from fairlead.dialects.bento.bento.schema import Bento
from fairlead.dialects.bento.deployment import annotations as asked
from fairlead.dialects.bento.deployment.annotations import is_on
from fairlead.dialects.bento.deployment.labels import labels_of
from fairlead.dialects.bento.deployment.lower import path_of
from fairlead.dialects.bento.deployment.schema import PORT, BentoDeployment
from fairlead.dialects.bento.network import Network
from fairlead.dialects.bento.site import Site
from fairlead.dialects.findings import Findings
from fairlead.plan.layout import Backing, Exposure, HeaderRule, Routing, Rule

UNKNOWN_SUFFIX = "unknown.invalid"
"""Ends the host of an Ingress whose address nobody knows yet: no client ever asks for it (RFC 6761)."""


def exposures_of(
    deployment: BentoDeployment, doc: Document, bento: Bento, site: Site, findings: Findings, *, port: int = PORT
) -> tuple[Exposure, ...]:
    """The way in to that port of its Service, if one is wanted. Raises `ConfigError` for settings that cannot be
    read."""
    ingress = deployment.spec.ingress
    if not ingress.enabled or site.settings.routing is Routing.NONE:
        return ()
    network = site.network
    host = host_of(deployment, doc, network, site)
    name = deployment.metadata.name
    secret = network.secret(name, ingress.tls.secret_name if ingress.tls else "")
    if secret and site.settings.routing is not Routing.INGRESS:
        findings.warn(
            f"spec.ingress.tls: {site.settings.routing} routes have no certificates; give {secret} to the gateway"
        )
    prefix = network.path if host else path_of(deployment)
    if not host:
        findings.warn(
            f"spec.ingress: nobody has said what host names end in, so it is at {prefix} of the gateway: set "
            "domain-suffix in the ConfigMap network, or bento.network.domainSuffix in the values"
        )
    return (
        Exposure(
            name=name,
            rules=tuple(_rules(deployment, prefix, port, rewrite=None if host else "/")),
            hosts=(host,) if host else (),
            labels={**deployment.spec.labels, **labels_of(deployment, bento.spec.tag), **ingress.labels},
            annotations=_annotations(ingress.annotations, network, site),
            family=name,
            certificate=secret if site.settings.routing is Routing.INGRESS else "",
            ingress_class=network.ingress_class,
            path_type=network.path_type,
        ),
    )


def host_of(deployment: BentoDeployment, doc: Document, network: Network, site: Site) -> str:
    """Its host name; empty where none can be had."""
    kept = urlsplit(str((doc.get("status") or {}).get("url") or "")).hostname or ""
    name, namespace = deployment.metadata.name, deployment.metadata.namespace
    if kept.startswith(f"{name}-{namespace}."):
        return kept
    if found := network.host(name, namespace):
        return found
    return f"{name}-{namespace}.{UNKNOWN_SUFFIX}" if site.settings.routing is Routing.INGRESS else ""


def _rules(deployment: BentoDeployment, prefix: str, port: int, *, rewrite: str | None) -> list[Rule]:
    name = deployment.metadata.name
    whole = Rule(
        name="http", backings=(Backing(service=name, port=port, name=name),), path_prefix=prefix, rewrite=rewrite
    )
    if not is_on(deployment.spec.annotations, asked.STEALING):
        return [whole]
    debug = Rule(
        name="debug",
        backings=(Backing(service=f"{name}-d", port=port, name=f"{name}-d"),),
        path_prefix=prefix,
        headers=(HeaderRule(name="X-Yatai-Debug", value="true"),),
        rewrite=rewrite,
    )
    return [debug, whole]


def _annotations(given: Mapping[str, str], network: Network, site: Site) -> dict[str, str]:
    """Without upstream's snippet, which ingress-nginx refuses since 1.9."""
    own = {}
    if site.settings.routing is Routing.INGRESS:
        own = {"nginx.ingress.kubernetes.io/ssl-redirect": "false"}
    return {**own, **network.annotations, **given}
