"""Our kinds as CustomResourceDefinitions, made from the dialects, so a field has one description and one place.

Names and groups are upstream's, so objects that a cluster has stay what they are. All versions of a kind have the same
fields and differ in `apiVersion` alone, which is what an API server changes by itself (`strategy: None`), unless the
kind has versions of other forms. Those need our webhook: a running operator writes into the definition where that is
and whom to trust, and until then what an API server cannot convert it refuses, so that no field is lost.
A kind that only we write has no definition: such records belong to
one machine, and their names (Knative's `Revision`) to somebody else in a cluster.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from fairlead.backends.kubernetes.install.installation import DEFAULT_NAMESPACE, WEBHOOK_SERVICE
from fairlead.backends.kubernetes.webhooks.converting import PATH as CONVERT
from fairlead.dialects.base import Column, Dialect, Kind

API_VERSION, KIND = "apiextensions.k8s.io/v1", "CustomResourceDefinition"


def definitions(dialects: Iterable[Dialect]) -> list[dict[str, Any]]:
    """The definitions of every kind that users write, in the order of the dialects."""
    return [
        definition(kind, dialect.open_api(kind))
        for dialect in dialects
        for kind in dialect.kinds
        if not kind.is_read_only
    ]


def definition(kind: Kind, schema: dict[str, Any]) -> dict[str, Any]:
    """One kind as `apiextensions.k8s.io/v1` defines it; `schema` is structural."""
    spec: dict[str, Any] = {
        "group": kind.group,
        "names": _names(kind),
        "scope": "Namespaced" if kind.is_namespaced else "Cluster",
        "conversion": _by_webhook() if kind.forms else {"strategy": "None"},
        "versions": _versions(kind, schema),
    }
    metadata = {"name": definition_name(kind), "labels": {"app.kubernetes.io/part-of": "fairlead"}}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def _by_webhook() -> dict[str, Any]:
    service = {"name": WEBHOOK_SERVICE, "namespace": DEFAULT_NAMESPACE, "path": CONVERT, "port": 443}
    return {
        "strategy": "Webhook",
        "webhook": {"clientConfig": {"service": service}, "conversionReviewVersions": ["v1"]},
    }


def definition_name(kind: Kind) -> str:
    """What a kind's definition is called."""
    return f"{kind.plural}.{kind.group}"


def _names(kind: Kind) -> dict[str, Any]:
    names: dict[str, Any] = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.singular,
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    if kind.categories:
        names["categories"] = list(kind.categories)
    return names


def _versions(kind: Kind, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The stored version with its descriptions, the others without: three times over, a SeldonDeployment's would be
    more than the 262144 bytes that `kubectl apply` can remember in an annotation."""
    others = undescribed(schema) if len(kind.versions) > 1 else schema
    versions = []
    for index, name in enumerate(kind.versions):
        form = kind.form(name)
        own = undescribed(form.schema()) if form is not None else others if index else schema
        columns = form.columns if form is not None else kind.columns
        versions.append(_version(kind, name, own, columns, is_stored=index == 0))
    return versions


def _version(
    kind: Kind, name: str, schema: dict[str, Any], columns: Sequence[Column], *, is_stored: bool
) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": name,
        "served": True,
        "storage": is_stored,
        "schema": {"openAPIV3Schema": schema},
        "subresources": _subresources(kind),
        "additionalPrinterColumns": _columns(columns),
    }
    return {key: value for key, value in version.items() if value not in ({}, [])}


def _subresources(kind: Kind) -> dict[str, Any]:
    subresources: dict[str, Any] = {}
    if kind.has_status:
        subresources["status"] = {}
    if kind.scale_path:
        subresources["scale"] = {
            "specReplicasPath": kind.scale_path,
            "statusReplicasPath": kind.scale_status_path,
        }
    return subresources


def _columns(columns: Sequence[Column]) -> list[dict[str, Any]]:
    written = []
    for column in columns:
        entry: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
        if column.description:
            entry["description"] = column.description
        if column.priority:
            entry["priority"] = column.priority
        written.append(entry)
    return written


def undescribed(schema: Any) -> Any:
    """A schema without the words for people. A property may be called `description`, and stays."""
    if isinstance(schema, list):
        return [undescribed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key == "description" and isinstance(value, str):
            continue
        is_named = key == "properties" and isinstance(value, dict)
        kept[key] = {name: undescribed(item) for name, item in value.items()} if is_named else undescribed(value)
    return kept
