"""What is stored beside an InferenceService: the revisions of its components, and which runtime each has."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.config import read_config
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.lower import templates_of
from fairlead.dialects.kserve.inference_service.modes import is_knative
from fairlead.dialects.kserve.inference_service.revisions import REVISION, is_pinned, records_of
from fairlead.dialects.kserve.inference_service.rollout import is_stopped
from fairlead.dialects.kserve.inference_service.template import PREDICTOR
from fairlead.errors import FairleadError
from fairlead.plan.model import Plan


def records(doc: Document, *, world: World) -> list[dict[str, Any]]:
    """The `Revision` objects of a defaulted document. A service that is stopped has none: it begins anew. Raises what
    lowering raises."""
    has_revisions = is_knative(doc, read_config(world).default_mode)
    if is_stopped(doc) or not (has_revisions or is_pinned(doc)):
        return []
    return records_of(doc, templates_of(doc, world=world, is_knative=has_revisions), world)


def runtime_of(doc: Document, plan: Plan, *, world: World, has_revisions: bool) -> Mapping[str, Any] | None:
    """The runtime that the newest predictor was lowered with; `None` for one of its own containers."""
    names = [one.full_name for one in plan.components if one.role == PREDICTOR]
    newest = max(names, key=lambda name: (len(name), name), default="")
    stored = world.get(REVISION.kind, plan.owner.namespace, newest) if has_revisions else None
    if stored is not None:
        runtime = stored.get("spec", {}).get("template", {}).get("runtime")
        return runtime if isinstance(runtime, Mapping) else None
    try:
        return templates_of(doc, world=world, is_knative=has_revisions)[0].runtime
    except FairleadError:
        # The runtime has gone since; what runs was made with it.
        return told.runtime(doc)
