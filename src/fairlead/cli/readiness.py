"""Reads from an object's status how far it is. Pure: one object in, one verdict out.

Dialects say it in their own ways (`status.state`, conditions, `status.phase`); a person asks one question.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    WORKING = "working"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """`word` is the object's own (`Creating`), `why` its own sentence, `share` how much of a transfer is done
    (0 to 1, `None` when nothing is transferred or nobody knows), `address` where it answers once it is ready."""

    stage: Stage
    word: str
    why: str = ""
    share: float | None = None
    address: str = ""


_DONE_WITHOUT_STATUS = frozenset(
    ("Namespace", "Secret", "ConfigMap", "ServiceAccount", "PersistentVolumeClaim", "Event", "Role", "RoleBinding")
)
# KServe's words for a model that will not load, and for the parts of a service.
_BROKEN = ("BlockedByFailedLoad", "InvalidSpec")
_UNPLANNED = "fails to reconcile component: "
_PARTS = ("PredictorReady", "TransformerReady", "ExplainerReady", "LatestDeploymentReady")
_OF_BENTOS = ("BentoRequest", "BentoDeployment")
_PASSING = ("Reconciling", "Deploying", "BentoNotFound", "BentoNotReady", "StorageUnavailable", "MissingReference")
_PERCENT = re.compile(r"\((\d{1,3})\s?%\)")


def read(item: Mapping[str, Any]) -> Readiness:
    """How far one object is. A status that is about an older version of it counts as none."""
    status = item.get("status") or {}
    if item.get("kind") in _DONE_WITHOUT_STATUS:
        return Readiness(stage=Stage.READY, word=str(status.get("phase") or "Ready"))
    generation = (item.get("metadata") or {}).get("generation")
    observed = status.get("observedGeneration")
    if not status or (observed is not None and generation is not None and observed < generation):
        return Readiness(stage=Stage.WORKING, word="Pending")
    why = " ".join(str(status.get("description") or status.get("message") or "").split())
    if status.get("ready") is True:
        return Readiness(stage=Stage.READY, word="Ready", why=why)
    if item.get("kind") in _OF_BENTOS and (failure := _refused(status)):
        return Readiness(stage=Stage.FAILED, word="Failed", why=failure)
    if state := str(status.get("state") or status.get("phase") or ""):
        return _by_word(state, why, str((status.get("address") or {}).get("url") or ""))
    return _by_conditions(status, why)


def _by_word(word: str, why: str, address: str) -> Readiness:
    if word in ("Available", "Ready", "Running", "Active", "Bound", "Succeeded"):
        return Readiness(stage=Stage.READY, word=word, why=why, address=address)
    if word == "Failed":
        return Readiness(stage=Stage.FAILED, word=word, why=why)
    return Readiness(stage=Stage.WORKING, word=word, why=why, share=_share(why))


def _by_conditions(status: Mapping[str, Any], why: str) -> Readiness:
    found = {one.get("type"): one for one in status.get("conditions") or []}
    if (found.get("Stopped") or {}).get("status") == "True":
        return Readiness(stage=Stage.READY, word="Stopped")
    condition = found.get("Ready") or found.get("Available") or found.get("BentoAvailable")
    if condition is None:
        return Readiness(stage=Stage.WORKING, word="Pending", why=why)
    if failure := _failure(status, found):
        return Readiness(stage=Stage.FAILED, word="Failed", why=failure)
    told = why or str(condition.get("message") or condition.get("reason") or "")
    if condition.get("status") != "True":
        return Readiness(stage=Stage.WORKING, word="Pending", why=told, share=_share(told))
    return Readiness(stage=Stage.READY, word=str(condition["type"]), why=told, address=str(status.get("url") or ""))


def _failure(status: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Any]]) -> str:
    """Why the newest version of a service will not come up, although an older one may serve."""
    model = status.get("modelStatus") or {}
    predictor = str((conditions.get("PredictorReady") or {}).get("message") or "")
    if predictor.startswith(_UNPLANNED):
        # KServe's own text in the model's status is short; the condition says what would be accepted too.
        return " ".join(predictor.removeprefix(_UNPLANNED).split())
    if model.get("transitionStatus") in _BROKEN:
        failure = model.get("lastFailureInfo") or {}
        return " ".join(str(failure.get("message") or failure.get("reason") or model["transitionStatus"]).split())
    for type_ in _PARTS:
        part = conditions.get(type_) or {}
        if part.get("status") == "False":
            return " ".join(str(part.get("message") or part.get("reason") or f"{type_} is false").split())
    ingress = conditions.get("IngressReady") or {}
    return str(ingress.get("message") or "") if ingress.get("reason") == "HostConflict" else ""


def _refused(status: Mapping[str, Any]) -> str:
    """Why a bento cannot be had or served, when it is nothing that passes by itself."""
    for one in status.get("conditions") or ():
        is_refused = one.get("status") == "False" and one.get("reason") not in _PASSING
        if one.get("type") in ("Available", "BentoAvailable") and is_refused:
            return str(one.get("message") or one.get("reason"))
    return ""


def _share(why: str) -> float | None:
    found = _PERCENT.search(why)
    return min(int(found[1]), 100) / 100 if found else None
