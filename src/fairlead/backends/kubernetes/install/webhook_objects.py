"""What tells an API server to ask our webhooks, and the objects by which cert-manager keeps their certificate."""

from collections.abc import Sequence
from typing import Any

from fairlead.backends.kubernetes.install.installation import (
    CERTIFICATE_SECRET,
    WEBHOOK_SERVICE,
    Installation,
    webhook_hosts,
)
from fairlead.backends.kubernetes.operator.images import SEEDED
from fairlead.backends.kubernetes.webhooks.endpoints import Endpoint, endpoints_of
from fairlead.dialects.base import Kind

Json = dict[str, Any]
_ISSUER = "fairlead-webhook"


def configurations(installation: Installation, kinds: Sequence[Kind]) -> list[Json]:
    """The validating and the mutating configuration."""
    if not installation.value("webhook.enabled"):
        return []
    endpoints = endpoints_of(kinds)
    return [
        _configuration(installation, "ValidatingWebhookConfiguration", [e for e in endpoints if not e.is_mutating]),
        _configuration(installation, "MutatingWebhookConfiguration", [e for e in endpoints if e.is_mutating]),
    ]


def _configuration(installation: Installation, kind: str, endpoints: Sequence[Endpoint]) -> Json:
    metadata = installation.cluster_metadata()
    if installation.value("certManager.enabled"):
        place = f"{installation.namespace}/{_ISSUER}"
        metadata["annotations"] = {"cert-manager.io/inject-ca-from": place}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "webhooks": [_webhook(installation, endpoint) for endpoint in endpoints],
    }


def _webhook(installation: Installation, endpoint: Endpoint) -> Json:
    kind = endpoint.kind
    service = {"name": WEBHOOK_SERVICE, "namespace": installation.namespace, "path": endpoint.path, "port": 443}
    made: Json = {
        "name": endpoint.name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": service},
        "failurePolicy": installation.value("webhook.failurePolicy"),
        # An object of another version of its kind is asked about as one of this.
        "matchPolicy": "Equivalent",
        "rules": [
            {
                "apiGroups": [kind.group],
                "apiVersions": [kind.versions[0]],
                "operations": ["CREATE", "UPDATE"],
                "resources": [kind.plural],
                "scope": "Namespaced" if kind.is_namespaced else "Cluster",
            }
        ],
        "sideEffects": "None",
        "timeoutSeconds": installation.value("webhook.timeoutSeconds"),
        "objectSelector": {"matchExpressions": _of_objects(installation, kind)},
    }
    if installation.value("singleNamespace") and kind.is_namespaced:
        made["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": installation.namespace}}
    if endpoint.is_mutating:
        made["reinvocationPolicy"] = "IfNeeded"
    return made


def _of_objects(installation: Installation, kind: Kind) -> list[Json]:
    expressions: list[Json] = [{"key": SEEDED, "operator": "DoesNotExist"}]
    if kind.controller_label:
        identity = installation.value("controllerId")
        mine = {"operator": "In", "values": [identity]} if identity else {"operator": "DoesNotExist"}
        expressions.append({"key": kind.controller_label, **mine})
    return expressions


def certificate_objects(installation: Installation) -> list[Json]:
    """For cert-manager: an issuer that signs with its own key, and the certificate."""
    if not (installation.value("webhook.enabled") and installation.value("certManager.enabled")):
        return []
    issuer = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": installation.metadata(_ISSUER),
        "spec": {"selfSigned": {}},
    }
    certificate = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": installation.metadata(_ISSUER),
        "spec": {
            "secretName": CERTIFICATE_SECRET,
            "dnsNames": list(webhook_hosts(installation.settings)),
            "issuerRef": {"kind": "Issuer", "name": _ISSUER},
            "usages": ["digital signature", "server auth"],
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        },
    }
    return [issuer, certificate]
