"""API servers that go when nobody asks and come with requests: behind our own gateway, which wakes them.

A Deployment's scaler cannot do that, so elsewhere one replica stays. Runners stay in any case: the API server asks them
at a port of their own, behind which no gateway stands.
"""

import re
from collections.abc import Sequence

from fairlead.dialects.base import Document
from fairlead.dialects.bento.deployment import annotations as asked
from fairlead.dialects.bento.deployment.annotations import is_on
from fairlead.dialects.bento.deployment.cluster.sidecars import has_proxy
from fairlead.dialects.bento.deployment.lower_scale import METRIC, TARGET, bounds_of
from fairlead.dialects.bento.deployment.parts import DeploymentPart
from fairlead.dialects.bento.deployment.to_stored import QPS
from fairlead.dialects.bento.site import Site
from fairlead.dialects.clusters import Observed
from fairlead.plan.layout import Labels, OnDemandWorkload, PodTemplate

GATEWAY_PORT = 80
"""The port of a Service behind which the gateway stands."""
_DOMAIN = "autoscaling.knative.dev/"
_CONCURRENCY = "fairlead.dev/max-concurrency"


def may_sleep(part: DeploymentPart, site: Site) -> bool:
    """Whether a part has no replica while nobody asks."""
    low, _ = bounds_of(part.autoscaling)
    is_plain = not is_on(part.annotations, asked.STEALING) and not has_proxy(site)
    return part.is_server and low == 0 and is_plain and site.settings.has_own_gateway and not site.settings.has_knative


def on_demand(part: DeploymentPart, pod: PodTemplate, name: str, labels: Labels) -> OnDemandWorkload:
    """The part as pods that come with requests."""
    limit = part.annotations.get(_CONCURRENCY, "")
    scaled = PodTemplate(spec=pod.spec, labels=pod.labels, annotations={**pod.annotations, **_words(part)}, own=pod.own)
    return OnDemandWorkload(
        name=name,
        pod=scaled,
        labels=labels,
        concurrency=int(limit) if limit.isascii() and limit.isdecimal() else None,
        component=part.name,
    )


def newest(name: str, observed: Observed) -> Document | None:
    """The Deployment of the latest revision; revisions are numbered."""
    numbered = re.compile(rf"{re.escape(name)}-\d{{5,}}")
    found = [key for kind, key in observed.objects if kind == "Deployment" and numbered.fullmatch(key)]
    in_order: Sequence[str] = sorted(found, key=lambda key: (len(key), key))
    return observed.get("Deployment", in_order[-1]) if in_order else None


def _words(part: DeploymentPart) -> dict[str, str]:
    """How it scales, in Knative's words, which the gateway reads."""
    _, high = bounds_of(part.autoscaling)
    words = {f"{_DOMAIN}min-scale": "0", f"{_DOMAIN}max-scale": str(high)}
    for metric in part.autoscaling.metrics if part.autoscaling is not None else ():
        pods = metric.get("pods") or {}
        if (pods.get("metric") or {}).get("name") == QPS:
            words |= {METRIC: "rps", TARGET: str((pods.get("target") or {}).get("averageValue", ""))}
    return {**words, **{name: part.annotations[name] for name in (METRIC, TARGET) if name in part.annotations}}
