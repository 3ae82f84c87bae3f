"""Objects as tables, the way `kubectl get` asks for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairlead.control.api import jsonpath
from fairlead.control.ledger import Document
from fairlead.dialects.base import Column

Cells = Callable[[Document, datetime], list[Any]]
"""The cells of a row after the name; the time is for ages."""

AGE = Column(name="Age", type="string", path=".metadata.creationTimestamp")


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns after Name, and what fills them. Events are the kind whose rows do not start with their name."""

    columns: tuple[Column, ...]
    cells: Cells
    starts_with_name: bool = True


def layout_of(columns: Sequence[Column]) -> Layout:
    """Cells by JSONPath, with an age at the end."""
    shown = tuple(columns) if any(c.name.lower() == "age" for c in columns) else (*columns, AGE)
    return Layout(shown, lambda document, now: [_cell(document, column, now) for column in shown])


def table(
    layout: Layout,
    documents: Sequence[Document],
    *,
    metadata: dict[str, Any],
    now: datetime,
    include: str = "Metadata",
) -> Document:
    """`include` says how much of each object a row carries: None, Metadata or Object."""
    name = {
        "name": "Name",
        "type": "string",
        "format": "name",
        "description": "Name must be unique within a namespace.",
        "priority": 0,
    }
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [name] * layout.starts_with_name + [_definition(column) for column in layout.columns],
        "rows": [_row(layout, document, now, include) for document in documents],
    }


def partial_metadata(document: Document) -> Document:
    """An object without all but its metadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": document["metadata"]}


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": "",
        "description": column.description or f"The value at {column.path}.",
        "priority": column.priority,
    }


def _row(layout: Layout, document: Document, now: datetime, include: str) -> dict[str, Any]:
    name = [document["metadata"]["name"]] * layout.starts_with_name
    row: dict[str, Any] = {"cells": name + layout.cells(document, now)}
    if include == "Object":
        row["object"] = document
    elif include != "None":
        row["object"] = partial_metadata(document)
    return row


def _cell(document: Document, column: Column, now: datetime) -> Any:
    found = jsonpath.find(document, column.path)
    if column.type == "date" or column is AGE:
        return age(found[0] if found else None, now)
    if not found:
        return None if column.type in ("integer", "number", "boolean") else ""
    if column.type in ("integer", "number", "boolean"):
        return found[0] if isinstance(found[0], int | float | bool) else None
    return ",".join(_text(value) for value in found)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def age(timestamp: Any, now: datetime) -> str:
    """How long ago, in the two largest units that say something, as kubectl writes it."""
    try:
        seconds = int((now - datetime.fromisoformat(str(timestamp))).total_seconds())
    except ValueError:
        return "<unknown>"
    return duration(max(0, seconds))


def duration(seconds: int) -> str:
    """Kubernetes' human durations: 90s, 5m30s, 47m, 5h10m, 30h, 5d3h, 200d, 3y20d."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large}{unit}{small}{small_unit}" if small else f"{large}{unit}"
