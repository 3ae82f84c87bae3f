"""Bentos on their way here, as the pods and logs of builders that BentoML's clients look for while they wait.

In a cluster a bento's image is built by a pod. On one machine the bento is fetched and its environment made by the
back-end, and what there is to read about it stands in the BentoRequest: so its pod is made up from that. Pure but for
the log, which follows the request.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from fairlead.dialects.bento.names import label_value, parse_tag
from fairlead.registry.deploying.place import EVENT, REQUEST, LogPart
from fairlead.registry.deploying.statuses import IS_BUILDER

Document = Mapping[str, Any]
CONTAINER = "builder"
_PHASES = {"True": "Succeeded", "False": "Failed"}


class _Watched(Protocol):
    async def get(self, kind: str, namespace: str, name: str) -> Document | None: ...

    async def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]: ...

    def changes(self, kinds: Sequence[str], namespace: str | None = None) -> AsyncGenerator[None, None]: ...


def builder_pods(requests: Iterable[Document]) -> list[dict[str, Any]]:
    """A pod for each request."""
    return [_pod(request) for request in requests]


def _pod(request: Document) -> dict[str, Any]:
    meta, available = request["metadata"], _available(request)
    phase = _PHASES.get(available.get("status", ""), "Running")
    ready = {"type": "Ready", "status": "True" if phase == "Running" else "False"}
    status: dict[str, Any] = {
        "phase": phase,
        "startTime": meta.get("creationTimestamp", ""),
        "conditions": [ready],
        "containerStatuses": [],
    }
    if phase == "Failed":
        status |= {"reason": available.get("reason", ""), "message": available.get("message", "")}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"yatai-bento-image-builder-{meta['name']}",
            "namespace": meta["namespace"],
            "uid": f"{meta.get('uid', '')}-builder",
            "creationTimestamp": meta.get("creationTimestamp", ""),
            "labels": {IS_BUILDER: "true", "yatai.ai/bento-request": label_value(meta["name"]), **_tag_labels(request)},
            "annotations": {},
        },
        "spec": {"nodeName": "", "containers": [{"name": CONTAINER, "image": ""}]},
        "status": status,
    }


def _tag_labels(request: Document) -> dict[str, str]:
    try:
        tag = parse_tag(request["spec"]["bentoTag"])
    except ValueError:
        return {}
    return {"yatai.ai/bento-repository": label_value(tag.name), "yatai.ai/bento": label_value(tag.version)}


def _conditions(request: Document) -> Sequence[Document]:
    return (request.get("status") or {}).get("conditions") or ()


def _available(request: Document) -> Document:
    return next((one for one in _conditions(request) if one.get("type") == "BentoAvailable"), {})


async def build_log(place: _Watched, request: Document, part: LogPart) -> AsyncGenerator[bytes, None]:
    """What has been told of a request, line by line; as it comes while it is on its way, if that is wanted."""
    namespace, name = request["metadata"]["namespace"], request["metadata"]["name"]
    said = _Said(part)
    past = said.new(_past(await place.list(EVENT, namespace), request))
    for line in past if part.tail_lines is None else past[-part.tail_lines :] if part.tail_lines else []:
        yield line
    changes = place.changes((REQUEST,), namespace)
    try:
        async for _ in changes:
            now = await place.get(REQUEST, namespace, name)
            for line in said.new(_present(now)) if now is not None else ():
                yield line
            if now is None or not part.follows or _available(now).get("status") in _PHASES:
                return
    finally:
        await changes.aclose()


class _Said:
    """Lines that were written already are not written again."""

    def __init__(self, part: LogPart) -> None:
        self._part = part
        self._lines: set[str] = set()

    def new(self, told: Iterable[tuple[str, str]]) -> list[bytes]:
        found = []
        for time, text in told:
            if text and text not in self._lines:
                self._lines.add(text)
                found.append(f"{time} {text}\n" if self._part.has_times else f"{text}\n")
        return [line.encode() for line in found]


def _past(events: Iterable[Document], request: Document) -> list[tuple[str, str]]:
    mine = [one for one in events if (one.get("involvedObject") or {}).get("uid") == request["metadata"].get("uid")]
    when: Callable[[Document], str] = lambda one: str(one.get("lastTimestamp") or "")  # noqa: E731
    return [(when(one), str(one.get("message") or "")) for one in sorted(mine, key=when)]


def _present(request: Document) -> list[tuple[str, str]]:
    return [(str(one.get("lastTransitionTime") or ""), str(one.get("message") or "")) for one in _conditions(request)]
