"""What an API server checks of built-in objects beyond their schemas."""

from typing import Any

from support.cluster import definitions
from support.cluster.kinds import Resource
from support.cluster.refusals import Cause

Document = dict[str, Any]


def semantic_problems(resource: Resource, new: Document, _old: Document | None) -> list[Cause]:
    """Problems of an object whose shape is right."""
    if resource.key == definitions.KEY:
        return definitions.problems(new)
    return []
