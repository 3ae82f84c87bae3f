"""The kind as an API serves it."""

from functools import cache
from typing import Any

from fairlead.dialects.base import Column, Kind
from fairlead.dialects.bento.bento.schema import GROUP, KIND, VERSION, BentoSpec
from fairlead.dialects.openapi import resource_schema

BENTO = Kind(
    group=GROUP,
    versions=(VERSION,),
    kind=KIND,
    plural="bentoes",
    singular="bento",
    is_planned=False,
    is_recorded=True,
    # Its status is told when something happens to what it was made for.
    reads=("BentoRequest",),
    columns=(
        Column(name="Tag", type="string", path=".spec.tag", description="Tag of the bento"),
        Column(name="Image", type="string", path=".spec.image", description="Image that serves it"),
        Column(name="Ready", type="boolean", path=".status.ready", description="Whether it can be deployed"),
        Column(name="Age", type="date", path=".metadata.creationTimestamp", description="Time since it was created"),
    ),
)


@cache
def open_api() -> dict[str, Any]:
    """The schema of the whole object; shared, so not to be changed."""
    status = {
        "type": "object",
        "description": "Whether it can be deployed.",
        "properties": {"ready": {"type": "boolean"}},
    }
    return resource_schema(BentoSpec, description="A bento that is there to be deployed.", status=status)
