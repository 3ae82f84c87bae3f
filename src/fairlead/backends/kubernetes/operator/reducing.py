"""What is kept of an object that the cluster shows us: never a Secret's values, and nothing that nobody reads.

Done as an object comes in, before it is put anywhere.
"""

from typing import Any

from fairlead.backends.kubernetes.operator.resources import CONFIG_MAP, SECRET, TypeKey

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_HELM_RELEASE = "helm.sh/release.v1"
_IN_EVERY_NAMESPACE = frozenset({"kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"})

Json = dict[str, Any]


def reduced(kind: TypeKey, doc: Json) -> Json | None:
    """The object without the record of who manages which field, which can be most of it; `None` for what is of no
    use."""
    metadata = {name: value for name, value in doc["metadata"].items() if name != "managedFields"}
    if kind == SECRET.key:
        return _secret(doc, metadata)
    if kind == CONFIG_MAP.key and metadata["name"] in _IN_EVERY_NAMESPACE:
        return None
    return {**doc, "metadata": metadata}


def _secret(doc: Json, metadata: Json) -> Json | None:
    if doc.get("type") == _HELM_RELEASE:
        return None
    # kubectl keeps a copy of the whole Secret, values and all, in this annotation.
    annotations = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != _LAST_APPLIED}
    return {
        "apiVersion": doc.get("apiVersion", "v1"),
        "kind": "Secret",
        "metadata": {**metadata, "annotations": annotations},
        "type": doc.get("type", ""),
        "data": dict.fromkeys(doc.get("data") or {}, ""),
    }
