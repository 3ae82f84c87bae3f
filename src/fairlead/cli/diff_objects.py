"""What manifests would change among the objects of a cluster: those that they are rendered to, held against those that
are there. The API server says what each would be (a dry run of the operator's own apply); nothing is changed. Works
without an operator too, for those who apply what `fairlead render` prints.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairlead.cli import output
from fairlead.cli.client import APPLY_PATCH, ApiError
from fairlead.cli.connection import Server
from fairlead.cli.exits import CommandFailed
from fairlead.cli.field_changes import changed_fields
from fairlead.cli.kinds import Resource, find_for
from fairlead.cli.manifests import Document
from fairlead.cli.reading import cluster_dialects
from fairlead.cli.rendering import read_values, render_all
from fairlead.dialects.document import Loaded

if TYPE_CHECKING:
    from fairlead.dialects.catalog import Catalog
    from fairlead.dialects.clusters import ClusterSettings

MANAGER = "fairlead"
_VALUES = "/api/v1/configmaps?fieldSelector=metadata.name%3Dfairlead-values"
_REFERRED = (
    ("ConfigMap", "v1", "/api/v1/configmaps"),
    ("ServiceAccount", "v1", "/api/v1/serviceaccounts"),
    ("Secret", "v1", "/api/v1/secrets"),
)
_MAY_BE_LEFT = (
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
)
"""Kinds of which a changed manifest may want fewer objects than before."""
_OPERATORS = frozenset({"fairlead.dev/applied", "fairlead.dev/image", "fairlead.dev/pods"})
"""Annotations in which the operator keeps for itself what it wrote."""


def is_cluster(server: Server) -> bool:
    """Whether there are Deployments: one machine's server has none."""
    return _get(server, "/apis/apps/v1") is not None


class ObjectChanges:
    """Compares what some manifests would have in a cluster with what is there. `values` is the operator's values file;
    without one the operator's own are read where it runs. Raises `CommandFailed` for manifests that cannot be
    rendered."""

    def __init__(self, server: Server, catalog: "Catalog", namespace: str, values: Path | None) -> None:
        self._server, self._catalog, self._namespace = server, catalog, namespace
        self._settings = _settings(server, values)

    def of(self, documents: Sequence[Document]) -> Iterator[str]:
        """A headline for each object that would be made, changed or deleted, and a line for each field."""
        owned = [self._as_stored(document) for document in documents]
        made = render_all(
            owned, self._settings, self._catalog, namespace=self._namespace, beside=list(self._beside())
        ).objects
        for one in made:
            yield from self._of_object(Document(Loaded(doc=one)))
        yield from self._left_over(owned, made)

    def _as_stored(self, document: Document) -> Document:
        """With the uid and the status that the cluster has for it, which say what was decided before."""
        try:
            resource = find_for(self._server.client, document)
        except CommandFailed:  # the cluster does not know the kind: nothing of it is stored
            return document
        place = document.namespace or self._namespace
        stored = _get(self._server, resource.path(place, document.name)) or {}
        metadata = {**document.content["metadata"], **_kept(stored.get("metadata") or {}, ("uid", "generation"))}
        content = {**document.content, **_kept(stored, ("status",)), "metadata": metadata}
        return Document(replace(document.loaded, doc=content))

    def _beside(self) -> Iterator[dict[str, Any]]:
        """What the cluster has for manifests to refer to; what may not be read is as good as absent."""
        places = list(_REFERRED)
        for dialect in cluster_dialects(self._settings):
            for kind in dialect.kinds:
                version = f"{kind.group}/{kind.versions[0]}"
                places.append((kind.kind, version, f"/apis/{version}/{kind.plural}"))
        for kind_name, version, path in places:
            for item in (_get(self._server, path, tolerated=(403, 404)) or {}).get("items") or ():
                yield {"apiVersion": version, "kind": kind_name, **item}

    def _of_object(self, wanted: Document) -> Iterator[str]:
        try:
            resource = find_for(self._server.client, wanted)
        except CommandFailed:
            kind = f"{wanted.kind} of {wanted.api_version}"
            output.note(f"warning: this cluster does not have {kind}, which {wanted.name} would be")
            return
        path = resource.path(wanted.namespace, wanted.name)
        before = _get(self._server, path)
        if before is None:
            yield f"{resource.label}/{wanted.name} would be created"
            return
        query = {"fieldManager": MANAGER, "force": "true", "dryRun": "All"}
        try:
            after = self._server.client.request(
                "PATCH", path, query=query, body=wanted.content, content_type=APPLY_PATCH
            )
        except ApiError as problem:
            yield f"{resource.label}/{wanted.name} could not be changed: {problem}"
            return
        fields = changed_fields(_without_bookkeeping(before), _without_bookkeeping(after))
        if fields:
            yield f"{resource.label}/{wanted.name} would change"
        yield from (f"  {field}" for field in fields)

    def _left_over(self, owned: Sequence[Document], made: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Objects that belong to these manifests and that they do not have any more."""
        kept = {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in made}
        uids = {str(one.content["metadata"].get("uid") or "") for one in owned} - {""}
        for resource, namespace in self._searched(owned) if uids else ():
            for item in (_get(self._server, resource.path(namespace)) or {}).get("items") or ():
                name = item["metadata"]["name"]
                if _owners(item) & uids and (resource.kind, namespace, name) not in kept:
                    yield f"{resource.label}/{name} would be deleted"

    def _searched(self, owned: Sequence[Document]) -> Iterator[tuple[Resource, str]]:
        namespaces = sorted({one.namespace or self._namespace for one in owned})
        for version, kind in _MAY_BE_LEFT:
            try:
                resource = find_for(self._server.client, Document(Loaded(doc={"apiVersion": version, "kind": kind})))
            except CommandFailed:
                continue
            yield from ((resource, namespace) for namespace in namespaces)


def _settings(server: Server, values: Path | None) -> "ClusterSettings":
    from fairlead.backends.kubernetes.values import read

    if values is not None:
        return read_values(values).settings
    found = (_get(server, _VALUES, tolerated=(403, 404)) or {}).get("items") or ()
    text = str((found[0].get("data") or {}).get("values.yaml", "")) if found else ""
    groups = {str(group["name"]) for group in (_get(server, "/apis") or {}).get("groups") or ()}
    settings = read(text, "the operator's values").settings
    return replace(
        settings,
        has_knative=settings.has_knative or "serving.knative.dev" in groups,
        has_keda=settings.has_keda or "keda.sh" in groups,
    )


def _without_bookkeeping(live: Mapping[str, Any]) -> dict[str, Any]:
    """Without what only the operator writes: its notes, and owners by their uid."""
    metadata = {name: value for name, value in live["metadata"].items() if name != "ownerReferences"}
    noted = {name: text for name, text in (metadata.pop("annotations", None) or {}).items() if name not in _OPERATORS}
    return {**live, "metadata": {**metadata, "annotations": noted}}


def _get(server: Server, path: str, *, tolerated: tuple[int, ...] = (404,)) -> dict[str, Any] | None:
    where, _, query = path.partition("?")
    try:
        return dict(server.client.get(where, dict([query.replace("%3D", "=").split("=", 1)]) if query else None))
    except ApiError as problem:
        if problem.http not in tolerated:
            raise
        return None


def _kept(mapping: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: mapping[name] for name in names if name in mapping}


def _owners(item: Mapping[str, Any]) -> set[str]:
    return {str(one.get("uid")) for one in item["metadata"].get("ownerReferences") or ()}
