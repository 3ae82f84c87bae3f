"""What all objects of one layout share: their namespace, their owner, and what the installation decided."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import Labels
from fairlead.plan.model import Owner

Object = dict[str, Any]
"""A Kubernetes object as JSON."""

MANAGED_BY = "app.kubernetes.io/managed-by"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the objects of a layout go."""

    owner: Owner
    settings: ClusterSettings

    @property
    def namespace(self) -> str:
        """The namespace of all of them."""
        return self.owner.namespace

    def host_of(self, service: str) -> str:
        """The full name of a Service; a name with dots is a host already."""
        if "." in service:
            return service
        return f"{service}.{self.namespace}.svc.{self.settings.cluster_domain}"

    def made(
        self,
        api_version: str,
        kind: str,
        name: str,
        *,
        labels: Labels | None = None,
        annotations: Labels | None = None,
        **body: Any,
    ) -> Object:
        """An object of this place. What is `None` in `body` is left out."""
        written = {key: deepcopy(value) for key, value in body.items() if value is not None}
        metadata = self._metadata(name, labels or {}, annotations or {})
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **written}

    def adopted(self, given: Mapping[str, Any]) -> Object:
        """A small object that a front-end wrote, made one of this place's."""
        body = {key: value for key, value in given.items() if key not in ("apiVersion", "kind", "metadata")}
        metadata = given["metadata"]
        return self.made(
            given["apiVersion"],
            given["kind"],
            metadata["name"],
            labels=metadata.get("labels"),
            annotations=metadata.get("annotations"),
            **body,
        )

    def _metadata(self, name: str, labels: Labels, annotations: Labels) -> Object:
        metadata: Object = {"name": name, "namespace": self.namespace, "labels": {**labels}}
        # Dashboards and scripts select by the dialect's own word for who manages an object; ours is for those without.
        metadata["labels"].setdefault(MANAGED_BY, "fairlead")
        if annotations:
            metadata["annotations"] = {**annotations}
        if self.owner.uid:
            metadata["ownerReferences"] = [_reference(self.owner)]
        return metadata


def _reference(owner: Owner) -> Object:
    """Without a uid there is no owner yet: a reference that names no stored object has its object collected."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def plain(value: Any) -> Any:
    """A value of a layout as the mutable JSON that an object holds."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
