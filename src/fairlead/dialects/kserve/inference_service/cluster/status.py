"""The status of an InferenceService of the objects that a cluster has of it, in either mode."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.cluster.knative_status import knative_status, views_of
from fairlead.dialects.kserve.inference_service.cluster.model_states import Predicting, model_states
from fairlead.dialects.kserve.inference_service.cluster.standard_status import pods_of, standard_status
from fairlead.dialects.kserve.inference_service.conditions import READY, write
from fairlead.dialects.kserve.inference_service.modes import KNATIVE, deployment_mode
from fairlead.dialects.kserve.inference_service.status_conditions import stopped_conditions
from fairlead.dialects.kserve.inference_service.template import PREDICTOR
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import Layout

_COMPONENT = "component"


def status_of(doc: Document, layout: Layout, observed: Observed, site: Site, *, now: str) -> dict[str, Any]:
    """The new status of a document that was laid out."""
    mode = deployment_mode(doc, site.config.default_mode)
    whole = {"deploymentMode": mode, "observedGeneration": layout.owner.generation}
    if not layout.workloads and not layout.on_demand:
        conditions = stopped_conditions(has_canaries=bool(doc["spec"].get("canary")))
        return {**whole, "conditions": write(conditions, told.status_of(doc), now=now)}
    if mode == KNATIVE:
        views = views_of(doc, observed, site)
        written = knative_status(doc, layout, observed, views, site, now=now)
        view = views[PREDICTOR]
        predicting = Predicting(
            pods=_newest(observed, view.created),
            is_ready=_is_ready(written) and view.created == view.ready,
            has_failed=view.has_failed,
        )
    else:
        written = standard_status(doc, layout, observed, site, now=now)
        pods = pods_of(layout.workloads[0], observed)
        predicting = Predicting(pods=pods, is_ready=_is_ready(written))
    model = model_states(predicting, told.model_status(doc), now=now)
    return {**whole, **_runtime(layout), **written, "modelStatus": model}


def _is_ready(written: Mapping[str, Any]) -> bool:
    return any(one["type"] == READY and one["status"] == "True" for one in written["conditions"])


def _newest(observed: Observed, revision: str) -> list[Document]:
    """The predictor's pods, those of its newest revision first."""

    def labels(pod: Document) -> Mapping[str, str]:
        found: Mapping[str, str] = pod["metadata"].get("labels") or {}
        return found

    mine = [pod for pod in observed.pods if labels(pod).get(_COMPONENT) == PREDICTOR]
    return sorted(mine, key=lambda pod: labels(pod).get("serving.knative.dev/revision") != revision)


def _runtime(layout: Layout) -> dict[str, str]:
    """The runtime that the predictor's pod was made with."""
    kinds = told.RUNTIME_FIELDS
    return next(({kinds[kind]: name} for kind, name in layout.mentions if kind in kinds), {})
