"""How far the roll-out of a component's newest revision has got, and who is to get which share of its requests.

Knative has the revisions; what was rolled out last, and what before it, only the InferenceService's status remembers.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.cluster.knative_view import KnativeView
from fairlead.dialects.kserve.inference_service.rollout import knative_shares
from fairlead.dialects.kserve.inference_service.traffic import ALL, Rollout, Share, read_rollout
from fairlead.plan import layout


def shares(doc: Document, role: str) -> tuple[Share, ...]:
    """What is asked for now, the latest revision first."""
    return knative_shares(doc, role, read_rollout(told.component(doc, role)))


def traffic(doc: Document, role: str) -> tuple[layout.Share, ...]:
    """The same for the layout, where the latest revision has no name."""
    return tuple(
        layout.Share(percent=share.percent, revision="" if share.is_latest else share.revision, tag=share.tag)
        for share in shares(doc, role)
    )


def kept(doc: Document, role: str) -> tuple[str, ...]:
    """The revisions that a later change of shares may ask for."""
    return tuple(sorted(read_rollout(told.component(doc, role)).names))


def advanced(before: Rollout, view: KnativeView) -> Rollout:
    """The roll-out after what is seen now. A revision with all requests is rolled out. A share for it of less, while
    there is nothing newer and the rest goes to it too, asks for the revision before."""
    step = replace(
        before, latest_created=view.created or before.latest_created, latest_ready=view.ready or before.latest_ready
    )
    percent = _latest_percent(view)
    if percent is None:
        return step
    if step.latest_rolled_out != view.ready:
        if percent < ALL:
            return step
        return replace(step, previous_rolled_out=step.latest_rolled_out, latest_rolled_out=view.ready)
    is_alone = view.is_settled and view.created == view.ready and _percent_of(view, view.ready) == ALL
    if is_alone and percent < ALL and step.previous_rolled_out:
        return replace(step, latest_rolled_out=step.previous_rolled_out)
    return step


def _latest_percent(view: KnativeView) -> int | None:
    """What goes to the newest ready revision for being that; `None` while nothing does."""
    for target in view.traffic:
        if target.get("latestRevision") is True and target.get("revisionName") == view.ready:
            return _percent(target)
    return None


def _percent_of(view: KnativeView, revision: str) -> int:
    return sum(_percent(target) for target in view.traffic if target.get("revisionName") == revision)


def _percent(target: Mapping[str, Any]) -> int:
    found = target.get("percent")
    return found if isinstance(found, int) else 0
