"""How many replicas a canary of Standard mode has, and how many fewer the stable predictor needs for it."""

import math

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.canaries import traffic_percents
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ComponentTemplate

_ALL = 100


def canary_replicas(doc: Document, template: ComponentTemplate) -> int:
    """Its own `minReplicas`, else its share of the stable predictor's."""
    own = template.spec.get("minReplicas")
    if isinstance(own, int):
        return own
    percent = traffic_percents(doc).get(template.canary, 0)
    return math.ceil(_least(doc) * percent / _ALL)


def spared(doc: Document, canaries: list[ComponentTemplate]) -> int:
    """The replicas of canaries that were ready: they do part of the work."""
    ready = told.ready_canaries(doc)
    return sum(canary_replicas(doc, one) for one in canaries if one.canary in ready)


def _least(doc: Document) -> int:
    stable = doc["spec"][PREDICTOR].get("minReplicas")
    return max(1, stable if isinstance(stable, int) else 1)
