"""What the status of an InferenceService says about its requests, in lines that a person reads: where they go to, how
many replicas are ready, and what each version gets."""

from collections.abc import Iterator, Mapping
from typing import Any

_TAGGED = {"prev": "the one before", "latest": "the newest"}


def lines(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Labels and texts; nothing for a status that has no such fields."""
    if status.get("url"):
        yield "URL", str(status["url"])
    copies = (status.get("modelStatus") or {}).get("copies")
    if copies is not None:
        failed = copies.get("failedCopies") or 0
        yield "Replicas", f"{copies.get('totalCopies', 0)} ready" + (f", {failed} failed" if failed else "")
    for role, component in (status.get("components") or {}).items():
        shares = component.get("traffic") or []
        if shares:
            yield "Traffic", f"{role}: {', '.join(_share(share) for share in shares)}"
    for canary in status.get("canaryStatuses") or []:
        state = "ready" if canary.get("ready") else "not ready: gets nothing yet"
        yield "Canary", f"{canary.get('name')}: {canary.get('trafficPercent', 0)} % ({state})"


def _share(share: Mapping[str, Any]) -> str:
    text = f"{share.get('revisionName')} {share.get('percent', 0)} %"
    tag = share.get("tag")
    return f"{text} ({_TAGGED.get(str(tag), tag)}: {share.get('url')})" if tag else text
