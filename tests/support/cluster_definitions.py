"""Definitions of kinds that others bring to a cluster, as far as tests need them: they keep whatever they are given."""

from typing import Any

Document = dict[str, Any]


def free_definition(group: str, kind: str, *, plural: str = "", version: str = "v1") -> Document:
    """A CustomResourceDefinition with a status, of one version and no rules."""
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}}
    served = {"name": version, "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    names = {"kind": kind, "plural": plural or f"{kind.lower()}s"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [served]},
    }


ROUTES = free_definition("gateway.networking.k8s.io", "HTTPRoute")
"""The Gateway API's."""
