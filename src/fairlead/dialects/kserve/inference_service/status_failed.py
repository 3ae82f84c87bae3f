"""The status of an InferenceService that gives no plan: what is wrong with it, beside what still runs.

What an earlier version left running stays told, with the revisions that a roll-out remembers.
"""

from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.config import read_config
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.conditions import (
    INGRESS_READY,
    PREDICTOR_READY,
    Condition,
    aggregate,
    write,
)
from fairlead.dialects.kserve.inference_service.model_status import LOADED, Failure, invalid
from fairlead.dialects.kserve.inference_service.modes import KNATIVE, KnativeMissing, deployment_mode
from fairlead.dialects.kserve.serving_runtime.selection import NoRuntime
from fairlead.errors import ConfigError, FairleadError, InvalidManifest, UnrunnableManifest

_RECONCILE_FAILED = "ReconcileFailed"
_PREFIX = "fails to reconcile component"


def failed(doc: Document, error: FairleadError, *, world: World, now: str) -> dict[str, Any]:
    """The new status. What is not about a model or its runtime says nothing of the model."""
    previous = told.status_of(doc)
    broken = _broken(error)
    known = told.condition(doc, INGRESS_READY)
    ingress = Condition(type=INGRESS_READY, is_true=False, reason="Predictor ingress not created")
    terminal = [broken] if known.get("status") == "True" else [broken, ingress]
    written = write([*terminal, aggregate(terminal)], previous, now=now)
    replaced = {condition["type"] for condition in written}
    kept = [one for one in previous.get("conditions") or () if one.get("type") not in replaced]
    status = {
        **previous,
        "deploymentMode": deployment_mode(doc, _default_mode(world)),
        "conditions": sorted([*kept, *written], key=lambda one: str(one.get("type"))),
        "observedGeneration": doc.get("metadata", {}).get("generation", 0),
    }
    failure = failure_of(error)
    if failure is not None:
        states = told.model_status(doc).get("states") or {}
        is_serving = states.get("activeModelState") == LOADED
        status["modelStatus"] = invalid(failure, told.model_status(doc), is_serving=is_serving, now=now)
    return status


def _default_mode(world: World) -> str:
    try:
        return read_config(world).default_mode
    except ConfigError:
        return KNATIVE


def failure_of(error: FairleadError) -> Failure | None:
    """What `lastFailureInfo` says of an error; `None` for one that is no fault of the manifest."""
    if isinstance(error, NoRuntime):
        return Failure(reason=error.failure, message=error.told)
    if isinstance(error, UnrunnableManifest | InvalidManifest):
        return Failure(reason="InvalidPredictorSpec", message=one_line(str(error)))
    return None


def _broken(error: FairleadError) -> Condition:
    if isinstance(error, KnativeMissing):
        return Condition(type=PREDICTOR_READY, is_true=False, reason=error.reason, message=str(error))
    message = f"{_PREFIX}: {one_line(str(error))}"
    return Condition(type=PREDICTOR_READY, is_true=False, reason=_RECONCILE_FAILED, message=message)


def one_line(text: str) -> str:
    """A text of several problems as one sentence."""
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
