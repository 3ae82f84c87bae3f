"""The kind as an API serves it, in four versions."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from pydantic import BaseModel

from fairlead.dialects.base import Column, Form, Kind
from fairlead.dialects.bento.deployment.old_schemas import V1Alpha1Spec, V1Alpha2Spec, V1Alpha3Spec
from fairlead.dialects.bento.deployment.schema import GROUP, KIND, VERSION, BentoDeploymentSpec
from fairlead.dialects.bento.deployment.to_shown import COUNTS
from fairlead.dialects.bento.deployment.versions import to_shown, to_stored
from fairlead.dialects.openapi import conditions_schema, resource_schema

_AGE = Column(name="Age", type="date", path=".metadata.creationTimestamp", description="Time since it was created")
_OLD_COLUMNS = (
    Column(name="Bento", type="string", path=".spec.bento_tag", description="Tag of the bento"),
    Column(name="Ready", type="string", path=".status.printerReady", description="Pods that are ready"),
    Column(name="MinReplicas", type="integer", path=".spec.autoscaling.min_replicas", description="Least of them"),
    Column(name="MaxReplicas", type="integer", path=".spec.autoscaling.max_replicas", description="Most of them"),
    _AGE,
)
_OLD: dict[str, type[BaseModel]] = {"v1alpha3": V1Alpha3Spec, "v1alpha2": V1Alpha2Spec, "v1alpha1": V1Alpha1Spec}


@cache
def open_api() -> dict[str, Any]:
    """The schema of the stored version; shared, so not to be changed."""
    return resource_schema(BentoDeploymentSpec, description="A bento that runs.", status=_status())


@cache
def old_open_api(version: str) -> dict[str, Any]:
    """The schema of an old version."""
    status = _status({"printerReady": {"type": "string"}})
    return resource_schema(_OLD[version], description="A bento that runs, by its tag.", status=status)


def _form(version: str) -> Form:
    schema: Callable[[], dict[str, Any]] = partial(old_open_api, version)
    return Form(
        version=version,
        schema=schema,
        columns=_OLD_COLUMNS,
        stored=to_stored,
        shown=lambda doc, world: to_shown(doc, version, world),
    )


BENTO_DEPLOYMENT = Kind(
    group=GROUP,
    versions=(VERSION, *_OLD),
    kind=KIND,
    plural="bentodeployments",
    singular="bentodeployment",
    reads=("Bento", "BentoRequest", "ConfigMap"),
    forms=tuple(_form(version) for version in _OLD),
    columns=(
        Column(name="Bento", type="string", path=".spec.bento", description="Name of the Bento"),
        Column(
            name="Available",
            type="string",
            path='.status.conditions[?(@.type=="Available")].status',
            description="Whether it answers",
        ),
        _AGE,
    ),
)


def _status(more: dict[str, Any] | None = None) -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "integer"}
    return {
        "type": "object",
        "description": "What is running, and why not when it is not.",
        "properties": {
            "conditions": conditions_schema(),
            "podSelector": {"type": "object", "additionalProperties": text},
            "url": text,
            **dict.fromkeys(COUNTS, number),
            "observedGeneration": number,
            **(more or {}),
        },
    }
