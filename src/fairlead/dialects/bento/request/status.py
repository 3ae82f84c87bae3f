"""The status of a BentoRequest, in Yatai's conditions. Unlike there, messages say what is being done and what went
wrong."""

from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.bento.conditions import Condition, written
from fairlead.dialects.bento.request.records import is_whole
from fairlead.dialects.bento.request.schema import BentoRequest
from fairlead.plan.bentos import BentoFacts, ImageState, ImageStatus
from fairlead.plan.status import ModelState, ModelStatus, PlanStatus, Progress

AVAILABLE = "BentoAvailable"
CHECKED, EXISTS, BUILDING = "ImageExistsChecked", "ImageExists", "ImageBuilding"
GENERATED = "Bento is generated"
_PHASES = {
    ImageState.CHECKING: "Pending",
    ImageState.ABSENT: "Pending",
    ImageState.BUILDING: "Running",
    ImageState.PRESENT: "Succeeded",
    ImageState.FAILED: "Failed",
}
# Progress is told in tenths, so that a long download does not write a new status for every megabyte.
_STEP = 10


def status_of(request: BentoRequest, doc: Document, observed: PlanStatus, *, now: str) -> dict[str, Any]:
    """The new status."""
    previous = doc.get("status") or {}
    bento = next((one for one in observed.prefetched if one.name == request.spec.bento_tag), None)
    image = bento.image if bento is not None else None
    found = [*(of_image(image, previous) if image is not None else ()), _available(request, observed, bento)]
    status: dict[str, Any] = {
        "conditions": written(found, previous, now=now),
        "observedGeneration": observed.owner.generation,
    }
    if image is not None:
        status["imageBuilderPodStatus"] = {"phase": _PHASES[image.state]}
    if bento is not None and bento.facts is not None:
        status["found"] = told(bento.facts, image.name if image is not None else "")
    return status


def failed_status(doc: Document, message: str, reason: str, *, now: str) -> dict[str, Any]:
    """The status of a request that cannot be lowered. What was found before stays told."""
    previous = doc.get("status") or {}
    failed = Condition(type=AVAILABLE, is_true=False, message=message, reason=reason)
    others = [one for one in previous.get("conditions") or () if one.get("type") != AVAILABLE]
    generation = (doc.get("metadata") or {}).get("generation", 0)
    return {
        **previous,
        "conditions": [*others, *written([failed], previous, now=now)],
        "observedGeneration": generation,
    }


def of_image(image: ImageStatus, previous: Mapping[str, Any]) -> Iterator[Condition]:
    """What is told of an image. That it was built is told as long as anybody remembers."""
    name, state = image.name, image.state
    is_checked = None if state is ImageState.CHECKING else True
    yield Condition(type=CHECKED, is_true=is_checked, message=name)
    if state is ImageState.CHECKING:
        return
    if state is ImageState.PRESENT:
        yield Condition(type=EXISTS, is_true=True, message=name)
    else:
        yield Condition(type=EXISTS, is_true=False, message=f"Image {name} is not exists")
    was_built = any(one.get("type") == BUILDING for one in previous.get("conditions") or ())
    if state is ImageState.BUILDING:
        yield Condition(type=BUILDING, is_true=True, message=image.message or f"Image {name} is building")
    elif state is ImageState.ABSENT:
        yield Condition(type=BUILDING, is_true=None, message=image.message or f"Image {name} waits for its builder")
    elif state is ImageState.FAILED:
        message = f"Image {name} is failed. {image.message}".rstrip()
        yield Condition(type=BUILDING, is_true=False, message=message, reason=image.reason or "BuildFailed")
    elif was_built:
        yield Condition(type=BUILDING, is_true=False, message=f"Image {name} is successed.")


def told(facts: BentoFacts, image: str) -> dict[str, Any]:
    """What was found in a bento, for people."""
    said: dict[str, Any] = {
        "image": image,
        "style": facts.style.value,
        "service": facts.service,
        "bentomlVersion": facts.bentoml_version,
        "runners": [
            {"name": one.name, "runnableType": one.type, "modelTags": list(one.models)} for one in facts.runners
        ],
        "services": list(facts.services),
        "models": list(facts.models),
    }
    return {key: value for key, value in said.items() if value not in ("", [])}


def _available(request: BentoRequest, observed: PlanStatus, bento: ModelStatus | None) -> Condition:
    failed = next((one for one in observed.prefetched if one.state is ModelState.FAILED), None)
    if failed is not None:
        message = f"{failed.name}: {failed.message or 'it cannot be had'}"
        return Condition(type=AVAILABLE, is_true=False, message=message, reason=failed.reason or "Failed")
    image = bento.image if bento is not None else None
    if image is not None and image.state is ImageState.FAILED:
        message = f"Image {image.name}: {image.message or 'it cannot be built'}"
        return Condition(type=AVAILABLE, is_true=False, message=message, reason=image.reason or "BuildFailed")
    if is_whole(observed, request.spec.bento_tag):
        return Condition(type=AVAILABLE, is_true=True, message=GENERATED)
    return Condition(type=AVAILABLE, is_true=None, message=_doing(observed, image))


def _doing(observed: PlanStatus, image: ImageStatus | None) -> str:
    busy = next((one for one in observed.prefetched if one.state is not ModelState.READY), None)
    if busy is not None:
        return _progress(busy.name, busy.progress) if busy.progress else f"waiting for {busy.name}"
    if image is None:
        return "looking into the bento"
    return "Checking image exists" if image.state is ImageState.CHECKING else "Bento image is building"


def _progress(name: str, progress: Progress) -> str:
    what = progress.what if name in progress.what else f"{name}, {progress.what}"
    if progress.total_bytes <= 0:
        return f"{progress.verb} {what}"
    percent = 100 * progress.done_bytes // progress.total_bytes
    return f"{progress.verb} {what} ({percent - percent % _STEP} %)"
