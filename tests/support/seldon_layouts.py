"""Layouts of SeldonDeployments for tests, and short ways to what a test looks at."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.given import GivenWorld
from fairlead.dialects.seldon import SeldonDialect
from fairlead.plan.layout import Exposure, Layout, Service, Workload


def lay_out(doc: Document, world: Iterable[Document] = (), **values: Any) -> Layout:
    """The layout of a valid document, in an installation with these chart values."""
    return laid_out(doc, ClusterSettings(values=values), world)


def laid_out(doc: Document, settings: ClusterSettings, world: Iterable[Document] = ()) -> Layout:
    """The layout of a valid document in that installation."""
    dialect, given = SeldonDialect(settings=settings), GivenWorld(world)
    dialect.validate(doc, catalog=Catalog(), world=given)
    return dialect.lay_out(doc, settings=settings, catalog=Catalog(), world=given)


def workload(layout: Layout, name: str = "") -> Workload:
    """The workload of that name, else the first."""
    return next(one for one in layout.workloads if name in ("", one.name))


def service(layout: Layout, name: str) -> Service:
    """The Service of that name."""
    return next(one for one in layout.services if one.name == name)


def exposure(layout: Layout, name: str = "") -> Exposure:
    """The exposure of that name, else the first."""
    return next(one for one in layout.exposures if name in ("", one.name))


def container(layout: Layout, name: str) -> Mapping[str, Any]:
    """The first container or init container of that name."""
    for one in layout.workloads:
        for item in [*one.pod.spec["containers"], *one.pod.spec.get("initContainers", [])]:
            if item["name"] == name:
                found: Mapping[str, Any] = item
                return found
    raise AssertionError(f"no container {name}")


def variables(found: Mapping[str, Any]) -> dict[str, str]:
    """The literal variables of a container."""
    return {item["name"]: item["value"] for item in found.get("env", []) if "value" in item}


def predictor_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """What an orchestrator's container is told of its graph."""
    told: dict[str, Any] = json.loads(base64.b64decode(variables(found)["ENGINE_PREDICTOR"]))
    return told
