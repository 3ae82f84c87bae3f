"""What a change of an InferenceService's status is worth telling those who watch its Events. Texts are KServe's, with
the cause added where it is known."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document, Happened
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.conditions import LATEST_READY, PREDICTOR_READY, READY
from fairlead.dialects.kserve.inference_service.modes import KnativeMissing
from fairlead.dialects.kserve.inference_service.template import ROLES


def happened(doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
    """The Events of the change from the document's status to this one."""
    after = {"metadata": doc.get("metadata", {}), "status": status}
    name = str(after["metadata"].get("name") or "")
    return [*_ready(name, doc, after), *_rollouts(doc, after), *_failure(doc, after), *_rejection(doc, after)]


def _ready(name: str, before: Document, after: Document) -> Iterator[Happened]:
    was, is_now = told.is_true(before, READY), told.is_true(after, READY)
    if is_now and not was:
        yield Happened(reason="InferenceServiceReady", message=f"InferenceService [{name}] is Ready")
    elif was and not is_now:
        condition = told.condition(after, READY)
        why = condition.get("message") or condition.get("reason") or "it was stopped"
        message = f"InferenceService [{name}] is no longer Ready because of: {why}"
        yield Happened(reason="InferenceServiceNotReady", message=message, is_warning=True)


def _rollouts(before: Document, after: Document) -> Iterator[Happened]:
    for role in ROLES:
        old = told.component(before, role).get("latestRolledoutRevision")
        new = told.component(after, role).get("latestRolledoutRevision")
        if new and old and new != old:
            is_back = new == told.component(before, role).get("previousRolledoutRevision")
            if is_back:
                yield Happened(reason="RolledBack", message=f"Requests go back from {old} to {new}")
            else:
                yield Happened(reason="RolledOut", message=f"All requests go to {new}, after {old}")


def _failure(before: Document, after: Document) -> Iterator[Happened]:
    """A new revision that failed, which does not show in `Ready` while the one before it serves."""
    condition = told.condition(after, LATEST_READY)
    if condition.get("status") == "False" and told.condition(before, LATEST_READY).get("status") != "False":
        message = str(condition.get("message") or condition.get("reason"))
        yield Happened(reason="RevisionFailed", message=message, is_warning=True)


def _rejection(before: Document, after: Document) -> Iterator[Happened]:
    """A mode that the cluster has nothing for."""
    reason = KnativeMissing.reason
    was, is_now = (told.condition(one, PREDICTOR_READY).get("reason") == reason for one in (before, after))
    if is_now and not was:
        yield Happened(reason=reason, message=KnativeMissing.event, is_warning=True)
