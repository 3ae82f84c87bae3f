"""The pod of a component as it lies in a cluster, in either mode.

What KServe's pod webhook would add to a pod when it is made (who fetches the model, the agent, credentials) is written
into the template right away: the template says all that runs, nothing has to be installed between the API server and
its pods, and a render without a cluster shows the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.cluster.agent import PORT as AGENT_PORT
from fairlead.dialects.kserve.inference_service.cluster.agent import add_agent
from fairlead.dialects.kserve.inference_service.cluster.draft import DEFAULT_PORT, Draft, draft_of
from fairlead.dialects.kserve.inference_service.cluster.metrics import select_accelerator, tell_metrics
from fairlead.dialects.kserve.inference_service.cluster.probes import probe_servers
from fairlead.dialects.kserve.inference_service.cluster.provisioning import provision
from fairlead.dialects.kserve.inference_service.injected import predictor_host
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ComponentTemplate
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import PodTemplate

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedPod:
    """The pod, the ports of the container that requests reach first (`agent_port` goes before them where there is an
    agent), the other objects that it needs, and those that it was made from."""

    pod: PodTemplate
    ports: tuple[Json, ...] = ()
    has_agent: bool = False
    configs: tuple[Json, ...] = ()
    mentions: tuple[tuple[str, str], ...] = ()

    @property
    def target(self) -> int:
        """Where requests go."""
        if self.has_agent:
            return AGENT_PORT
        return int(self.ports[0].get("containerPort") or DEFAULT_PORT) if self.ports else DEFAULT_PORT


def composed_pod(
    template: ComponentTemplate, site: Site, findings: Findings, *, predictor: str = ""
) -> ComposedPod | None:
    """The pod of a component; `None`, with the reason among the findings, when there is none to be had. `predictor` is
    what the predictor's Service is called, where it is not called as it usually is."""
    draft = draft_of(template, site, findings)
    if draft is None:
        return None
    if predictor and template.role != PREDICTOR:
        _call(draft, predictor)
    if template.runtime is not None:
        draft.mentions.append((str(template.runtime["kind"]), str(template.runtime["name"])))
    ports = tuple(draft.entry.get("ports") or ())
    select_accelerator(draft)
    provision(draft, findings)
    if not template.is_knative:
        probe_servers(draft)
    has_agent = add_agent(draft, findings)
    tell_metrics(draft, findings)
    _settle(draft)
    return ComposedPod(
        pod=_sealed(draft),
        ports=ports,
        has_agent=has_agent,
        configs=tuple(draft.configs),
        mentions=tuple(dict.fromkeys(draft.mentions)),
    )


def _call(draft: Draft, predictor: str) -> None:
    """Point a transformer or explainer to the predictor's Service."""
    usual, actual = predictor_host(draft.template), f"{predictor}.{draft.template.namespace}"
    draft.main["args"] = [actual if word == usual else word for word in draft.main.get("args") or ()]


def pod_template(template: ComponentTemplate, site: Site, findings: Findings) -> PodTemplate | None:
    """The pod alone."""
    composed = composed_pod(template, site, findings)
    return None if composed is None else composed.pod


def _settle(draft: Draft) -> None:
    """When our image is pulled, and in Standard mode the values that Kubernetes would fill in, so that they show."""
    for one in (*draft.containers, *draft.inits):
        if draft.site.is_ours(str(one.get("image"))):
            one.setdefault("imagePullPolicy", draft.site.settings.image_pull_policy)
    if draft.template.is_knative:
        return
    for one in (*draft.containers, *draft.inits):
        one.setdefault("imagePullPolicy", "IfNotPresent")
        one.setdefault("terminationMessagePath", "/dev/termination-log")
        one.setdefault("terminationMessagePolicy", "File")
    for name, value in (("dnsPolicy", "ClusterFirst"), ("restartPolicy", "Always")):
        draft.fields.setdefault(name, value)
    draft.fields.setdefault("terminationGracePeriodSeconds", 30)


def _sealed(draft: Draft) -> PodTemplate:
    spec: dict[str, Any] = dict(draft.fields)
    if draft.inits:
        spec["initContainers"] = draft.inits
    spec["containers"] = draft.containers
    if draft.volumes:
        spec["volumes"] = draft.volumes
    own = (one["name"] for one in (*draft.containers, *draft.inits) if draft.site.is_ours(str(one.get("image"))))
    return PodTemplate(
        spec=spec,
        labels=dict(draft.labels),
        annotations=dict(draft.annotations),
        own=frozenset(own),
    )
