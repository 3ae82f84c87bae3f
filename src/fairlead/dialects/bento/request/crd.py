"""The kind as an API serves it."""

from functools import cache
from typing import Any

from fairlead.dialects.base import Column, Kind
from fairlead.dialects.bento.request.schema import GROUP, KIND, VERSION, BentoRequestSpec
from fairlead.dialects.openapi import conditions_schema, resource_schema


def _condition(name: str) -> str:
    return f'.status.conditions[?(@.type=="{name}")].status'


BENTO_REQUEST = Kind(
    group=GROUP,
    versions=(VERSION,),
    kind=KIND,
    plural="bentorequests",
    singular="bentorequest",
    is_recorded=True,
    reads=("Bento",),
    is_watched_with_status=True,
    columns=(
        Column(name="Bento-Tag", type="string", path=".spec.bentoTag", description="Tag of the bento"),
        Column(name="Download-Url", type="string", path=".spec.downloadUrl", description="Where the bento is"),
        Column(name="Image", type="string", path=".spec.image", description="The image that is asked for"),
        Column(name="Image-Exists", type="string", path=_condition("ImageExists"), description="Whether it is there"),
        Column(
            name="Bento-Available", type="string", path=_condition("BentoAvailable"), description="Whether all is there"
        ),
        Column(
            name="Image-Builder-Pod-Phase",
            type="string",
            path=".status.imageBuilderPodStatus.phase",
            description="How far its image is",
        ),
        Column(name="Age", type="date", path=".metadata.creationTimestamp", description="Time since it was created"),
    ),
)


@cache
def open_api() -> dict[str, Any]:
    """The schema of the whole object; shared, so not to be changed."""
    text = {"type": "string"}
    runner = {"type": "object", "properties": {"name": text, "runnableType": text}}
    runner["properties"]["modelTags"] = {"type": "array", "items": text}  # type: ignore[index]  # a dict of our own
    found = {
        "type": "object",
        "description": "What was found in the bento, and the image that was made of it.",
        "properties": {
            "image": text,
            "digest": text,
            "style": text,
            "service": text,
            "bentomlVersion": text,
            "runners": {"type": "array", "items": runner},
            "services": {"type": "array", "items": text},
            "models": {"type": "array", "items": text},
        },
    }
    status = {
        "type": "object",
        "description": "How far it is, and why not further.",
        "properties": {
            "conditions": conditions_schema(),
            "imageBuilderPodStatus": {"type": "object", "properties": {"phase": text, "message": text, "name": text}},
            "found": found,
            "requestHash": text,
            "observedGeneration": {"type": "integer"},
        },
    }
    return resource_schema(
        BentoRequestSpec, description="A bento to be fetched, and an image to be made of it.", status=status
    )
