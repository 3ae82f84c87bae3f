"""Every field that an LLMInferenceService may have is in the documentation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fairlead.dialects.kserve.llm import addresses, crd, status

PAGE = (Path(__file__).parents[4] / "docs" / "openai.md").read_text()


def fields(schema: dict[str, Any]) -> Iterator[str]:
    """The names of all fields."""
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from fields(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from fields(schema[key])


def test_every_field_is_explained() -> None:
    spec = crd.open_api()["properties"]["spec"]

    assert {name for name in fields(spec) if f"`{name}`" not in PAGE and f".{name}`" not in PAGE} == set()


def test_every_condition_and_the_header_are_explained() -> None:
    words = (status.READY, status.PRESETS, status.WORKLOADS, status.ROUTER, status.MAIN, status.ROUTES)

    assert [word for word in (*words, status.UNSUPPORTED) if f"`{word}`" not in PAGE] == []
    assert addresses.MODEL_HEADER in PAGE
