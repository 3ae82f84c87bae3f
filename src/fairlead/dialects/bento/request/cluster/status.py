"""The status of a BentoRequest, of the Job that makes its image and the pod that runs for it."""

from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.bento.conditions import Condition, written
from fairlead.dialects.bento.request.cluster.builder import BUILDER
from fairlead.dialects.bento.request.cluster.found import hash_in, image_in, parsed
from fairlead.dialects.bento.request.cluster.naming import request_hash
from fairlead.dialects.bento.request.schema import BentoRequest
from fairlead.dialects.bento.request.status import AVAILABLE, GENERATED, of_image
from fairlead.dialects.clusters import Observed
from fairlead.plan.bentos import ImageState, ImageStatus
from fairlead.plan.layout import Layout

CHANGED = "Bento request hash changed, recreating the jobs"


def cluster_status(
    request: BentoRequest, doc: Document, layout: Layout, observed: Observed, *, now: str
) -> dict[str, Any]:
    """The new status. What a Job found is kept: pods do not stay for ever."""
    previous = doc.get("status") or {}
    pod, job = next(iter(observed.pods), None), observed.get("Job", layout.tasks[0].name)
    found = _found(doc, job, pod)
    image = _image(request, doc, layout, job, pod, found)
    conditions = [*of_image(image, previous), _available(doc, job, pod, image, found)]
    status: dict[str, Any] = {
        "conditions": written(conditions, previous, now=now),
        "observedGeneration": request.metadata.generation,
    }
    if pod is not None:
        phase = str((pod.get("status") or {}).get("phase") or "Pending")
        status["imageBuilderPodStatus"] = {"phase": phase, "name": pod["metadata"]["name"]}
    if found is not None:
        return {**status, "found": found, "requestHash": request_hash(doc)}
    kept = {key: previous[key] for key in ("found", "requestHash") if key in previous}
    return {**status, **kept}


def _found(doc: Document, job: Document | None, pod: Document | None) -> Mapping[str, Any] | None:
    if hash_in(doc) == request_hash(doc):
        return dict(doc["status"]["found"])
    if job is None or not _is(job, "Complete"):
        return None
    return parsed(_last_words(pod)) if pod is not None else None


def _image(
    request: BentoRequest,
    doc: Document,
    layout: Layout,
    job: Document | None,
    pod: Document | None,
    found: Mapping[str, Any] | None,
) -> ImageStatus:
    name = (str(found["image"]) if found else "") or request.spec.image or _pushed(layout) or image_in(doc)
    if found is not None:
        return ImageStatus(name=name, state=ImageState.PRESENT)
    if job is not None and _is(job, "Failed"):
        is_late = _condition(job, "Failed").get("reason") == "DeadlineExceeded"
        reason = "Timeout" if is_late else "BuildFailed"
        return ImageStatus(name=name, state=ImageState.FAILED, reason=reason, message=_why(job, pod))
    if pod is None or job is None:
        return ImageStatus(name=name, state=ImageState.CHECKING)
    if _running(pod, "containerStatuses"):
        return ImageStatus(name=name, state=ImageState.BUILDING)
    return ImageStatus(name=name, state=ImageState.ABSENT, message=_waiting(pod))


def _available(
    doc: Document,
    job: Document | None,
    pod: Document | None,
    image: ImageStatus,
    found: Mapping[str, Any] | None,
) -> Condition:
    if found is not None:
        return Condition(type=AVAILABLE, is_true=True, message=GENERATED)
    if image.state is ImageState.FAILED:
        return Condition(type=AVAILABLE, is_true=False, message=image.message, reason=image.reason)
    if job is not None and _is(job, "Complete"):
        message = "the builder ended well and did not say what it made"
        return Condition(type=AVAILABLE, is_true=False, message=message, reason="NothingFound")
    if hash_in(doc) and pod is None:
        return Condition(type=AVAILABLE, is_true=None, message=CHANGED)
    doing = "Checking image exists" if pod is None else image.message or "Bento image is building"
    return Condition(type=AVAILABLE, is_true=None, message=doing)


def _pushed(layout: Layout) -> str:
    args = layout.tasks[0].pod.spec["containers"][0]["args"]
    return str(args[args.index("--image") + 1])


def _is(job: Document, type_: str) -> bool:
    return _condition(job, type_).get("status") == "True"


def _condition(job: Document, type_: str) -> Mapping[str, Any]:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == type_), {})


def _containers(pod: Document, *lists: str) -> Iterator[Mapping[str, Any]]:
    for name in lists or ("initContainerStatuses", "containerStatuses"):
        yield from (pod.get("status") or {}).get(name) or ()


def _running(pod: Document, name: str) -> bool:
    return any("running" in (one.get("state") or {}) for one in _containers(pod, name))


def _last_words(pod: Document) -> str:
    for one in _containers(pod, "containerStatuses"):
        if one.get("name") == BUILDER:
            return str(((one.get("state") or {}).get("terminated") or {}).get("message") or "")
    return ""


def _why(job: Document, pod: Document | None) -> str:
    """The last words of whichever container failed, or what the Job says."""
    for one in _containers(pod) if pod is not None else ():
        ended = (one.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            said = str(ended.get("message") or ended.get("reason") or "").strip()
            return f"container {one.get('name')}: {said or 'exit code {}'.format(ended['exitCode'])}"
    return str(_condition(job, "Failed").get("message") or "the Job failed")


def _waiting(pod: Document) -> str:
    """What a pod does before its builder begins."""
    for one in _containers(pod):
        state = one.get("state") or {}
        if "running" in state:
            return f"container {one.get('name')} is running"
        waiting = state.get("waiting") or {}
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            said = str(waiting.get("message") or "").strip()
            return f"container {one.get('name')}: {waiting['reason']}{f', {said}' if said else ''}"
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("message") or "not scheduled")
    return "the builder's pod is starting"
