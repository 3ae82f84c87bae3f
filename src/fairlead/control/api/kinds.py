"""The core kinds that exist because manifests refer to them, and custom kinds from dialects, as resources."""

from collections.abc import Callable, Sequence
from typing import Any

from fairlead.control.api import core, schemas
from fairlead.control.api.resources import Resource, Resources, Shape
from fairlead.control.api.tables import layout_of
from fairlead.control.store import NAMESPACE
from fairlead.dialects.base import ALONE, Kind, World


def _core(kind: str, plural: str, *short_names: str, has_status: bool = False, is_read_only: bool = False) -> Kind:
    return Kind(
        group="",
        versions=("v1",),
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        short_names=short_names,
        categories=("all",) if kind == "Pod" else (),
        has_status=has_status,
        is_read_only=is_read_only,
    )


SECRET = _core("Secret", "secrets")
CONFIG_MAP = _core("ConfigMap", "configmaps", "cm")
SERVICE_ACCOUNT = _core("ServiceAccount", "serviceaccounts", "sa")
CLAIM = _core("PersistentVolumeClaim", "persistentvolumeclaims", "pvc", has_status=True)
EVENT = _core("Event", "events", "ev")
POD = _core("Pod", "pods", "po", has_status=True, is_read_only=True)
EVENT_V1 = Kind(
    group="events.k8s.io",
    versions=("v1",),
    kind="Event",
    plural="events",
    singular="event",
    short_names=("ev",),
    has_status=False,
    is_read_only=True,
)

_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

CORE = (
    Resource(
        kind=NAMESPACE,
        schema=schemas.NAMESPACE,
        layout=core.NAMESPACE_LAYOUT,
        prepare=core.prepare_namespace,
        first_status=core.active_namespace,
        fields=("status.phase",),
        is_core=True,
    ),
    Resource(
        kind=SECRET,
        schema=schemas.SECRET,
        layout=core.SECRET_LAYOUT,
        fold=core.fold_string_data,
        prepare=core.prepare_secret,
        check=core.check_secret,
        fields=("type",),
        is_core=True,
    ),
    Resource(
        kind=CONFIG_MAP,
        schema=schemas.CONFIG_MAP,
        layout=core.CONFIG_MAP_LAYOUT,
        check=core.check_config_map,
        is_core=True,
    ),
    Resource(kind=SERVICE_ACCOUNT, schema=schemas.SERVICE_ACCOUNT, layout=core.SERVICE_ACCOUNT_LAYOUT, is_core=True),
    Resource(
        kind=CLAIM,
        schema=schemas.CLAIM,
        layout=core.CLAIM_LAYOUT,
        prepare=core.prepare_claim,
        check=core.check_claim,
        first_status=core.bound_claim,
        is_core=True,
    ),
    Resource(
        kind=EVENT,
        schema=schemas.EVENT,
        layout=core.EVENT_LAYOUT,
        check=core.check_event,
        fields=(*(f"involvedObject.{name}" for name in _INVOLVED), "reason", "type", "reportingComponent"),
        is_core=True,
    ),
    Resource(
        kind=POD,
        schema=schemas.POD,
        layout=core.POD_LAYOUT,
        fields=("spec.nodeName", "status.phase", "spec.restartPolicy", "spec.serviceAccountName"),
        is_core=True,
        has_log=True,
    ),
    Resource(
        kind=EVENT_V1,
        schema=schemas.EVENT_V1,
        layout=core.EVENT_LAYOUT,
        stored=EVENT,
        view=core.event_v1,
        is_core=True,
    ),
)

SchemaOf = Callable[[Kind], dict[str, Any]]


def resources_of(kinds: Sequence[Kind], schema_of: SchemaOf, world: World = ALONE) -> Resources:
    """Everything the API serves: the core kinds and these custom ones. `world` is for versions that are converted."""
    return Resources((*CORE, *(_custom(kind, schema_of(kind), world) for kind in kinds)))


def _custom(kind: Kind, schema: dict[str, Any], world: World) -> Resource:
    shapes = {form.version: Shape(schema=_whole(form.schema()), layout=layout_of(form.columns)) for form in kind.forms}
    return Resource(kind=kind, schema=_whole(schema), layout=layout_of(kind.columns), shapes=shapes, world=world)


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """A dialect's schema describes spec and status; the rest of an object is the same for every kind."""
    head = schemas.root("")["properties"]
    properties = {**schema.get("properties", {}), "metadata": head["metadata"]}
    for name in ("apiVersion", "kind"):
        properties.setdefault(name, head[name])
    return {**schema, "type": "object", "properties": properties}
