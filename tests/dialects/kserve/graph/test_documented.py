"""Every field and annotation that a graph may have is in the documentation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fairlead.dialects.kserve import header_patterns
from fairlead.dialects.kserve.graph import crd, options

PAGE = (Path(__file__).parents[4] / "docs" / "inference-graphs.md").read_text()


def fields(schema: dict[str, Any]) -> Iterator[str]:
    """The names of all fields, but for those of core/v1 objects."""
    for name, inner in schema.get("properties", {}).items():
        yield name
        if name != "resources":
            yield from fields(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from fields(schema[key])


def test_every_field_is_explained() -> None:
    spec = crd.open_api()["properties"]["spec"]

    assert {name for name in fields(spec) if f"`{name}" not in PAGE and f".{name}`" not in PAGE} == set()


def test_every_annotation_of_ours_is_explained() -> None:
    assert {
        name for name in (header_patterns.HEADERS, options.RETRIES, options.FUSE) if f"`{name}" not in PAGE
    } == set()
