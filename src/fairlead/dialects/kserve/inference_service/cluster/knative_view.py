"""What there is of a component in Knative's mode, as a Knative Service tells it.

Where our own gateway stands in for Knative, a component's revisions are Deployments; they are read into the same
values, so that whoever writes a status need not know which of the two is there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.inference_service.conditions import Condition
from fairlead.dialects.kserve.inference_service.traffic import Share

_GROUP = "serving.knative.dev/"
READY, CONFIGURATIONS, ROUTES = "Ready", "ConfigurationsReady", "RoutesReady"
_TRUTHS = {"True": True, "False": False}
_OUT_OF_DATE = Condition(
    type=READY, is_true=None, reason="OutOfDate", message="Knative has not looked at the last change yet"
)
"""Whoever waits for a change would take what is told of the version before for an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnativeView:
    """One component. `conditions` are Knative's, by type; `traffic` are its targets as the status writes them, and
    empty while nothing is in force. `is_settled`: what is told is of what was asked for last."""

    created: str = ""
    ready: str = ""
    conditions: Mapping[str, Condition]
    traffic: Sequence[Mapping[str, Any]] = ()
    url: str = ""
    address: str = ""
    is_settled: bool = False

    def condition(self, type_: str, of: str) -> Condition:
        """One of Knative's conditions under another type; Unknown when it is not told."""
        found = self.conditions.get(type_)
        if found is None:
            return Condition(type=of, is_true=None)
        return Condition(type=of, is_true=found.is_true, reason=found.reason, message=found.message)

    @property
    def has_failed(self) -> bool:
        """Whether any condition is false."""
        return any(one.is_true is False for one in self.conditions.values())


def view_of(name: str, observed: Observed, *, asked: Sequence[Share], url: str, address: str) -> KnativeView:
    """What there is of the component of this name. `asked`, `url` and `address` are what our own gateway makes true,
    where there is no Knative to tell."""
    service = observed.get("KnativeService", name) or observed.get("Service", name)
    # The core has a kind of the same name, which may stand under it.
    if service is not None and str(service.get("apiVersion")).startswith(_GROUP):
        return _of_service(service)
    revisions = _deployments(name, observed)
    if not revisions:
        return KnativeView(conditions={})
    return _of_deployments(revisions, asked, url, address)


def _of_service(service: Document) -> KnativeView:
    status: Mapping[str, Any] = service.get("status") or {}
    found = {str(one.get("type")): _condition(one) for one in status.get("conditions") or ()}
    is_observed = status.get("observedGeneration") == (service.get("metadata") or {}).get("generation")
    if found and not is_observed:
        found |= {type_: replace(_OUT_OF_DATE, type=type_) for type_ in (READY, CONFIGURATIONS)}
    both = (found.get(CONFIGURATIONS), found.get(ROUTES))
    return KnativeView(
        created=str(status.get("latestCreatedRevisionName") or ""),
        ready=str(status.get("latestReadyRevisionName") or ""),
        conditions=found,
        traffic=tuple(status.get("traffic") or ()),
        url=str(status.get("url") or ""),
        address=str((status.get("address") or {}).get("url") or ""),
        is_settled=is_observed and all(one is not None and one.is_true is True for one in both),
    )


def _condition(one: Mapping[str, Any]) -> Condition:
    return Condition(
        type=str(one.get("type")),
        is_true=_TRUTHS.get(str(one.get("status"))),
        reason=str(one.get("reason") or ""),
        message=str(one.get("message") or ""),
    )


def _deployments(name: str, observed: Observed) -> dict[str, Document]:
    """A component's revisions in the order of their numbers. A Deployment that is called as the component itself is its
    only one."""
    numbered = re.compile(rf"{re.escape(name)}-\d{{5,}}")
    found = [key for kind, key in observed.objects if kind == "Deployment" and numbered.fullmatch(key)]
    in_order = sorted(found, key=lambda key: (len(key), key))
    only = observed.get("Deployment", name)
    if not found and only is not None:
        return {f"{name}-00001": only}
    return {key: observed.objects["Deployment", key] for key in in_order}


def _of_deployments(revisions: Mapping[str, Document], asked: Sequence[Share], url: str, address: str) -> KnativeView:
    created = list(revisions)[-1]
    ready = next((name for name in reversed(list(revisions)) if _is_available(revisions[name])), "")
    configured = _of_newest(revisions[created], created)
    routed = Condition(type=ROUTES, is_true=True if ready else None, reason="" if ready else "RevisionMissing")
    whole = next((one for one in (configured, routed) if one.is_true is not True), configured)
    return KnativeView(
        created=created,
        ready=ready,
        conditions={
            CONFIGURATIONS: configured,
            ROUTES: routed,
            READY: Condition(type=READY, is_true=whole.is_true, reason=whole.reason, message=whole.message),
        },
        traffic=[_target(share, ready) for share in asked] if ready else (),
        url=url,
        address=address,
        is_settled=created == ready,
    )


def _target(share: Share, ready: str) -> dict[str, Any]:
    name = ready if share.is_latest else share.revision
    target: dict[str, Any] = {"revisionName": name, "latestRevision": share.is_latest, "percent": share.percent}
    return {**target, "tag": share.tag} if share.tag else target


def _of_newest(deployment: Document, name: str) -> Condition:
    if _is_available(deployment):
        return Condition(type=CONFIGURATIONS, is_true=True)
    progressing = _told(deployment, "Progressing")
    message = str(progressing.get("message") or _told(deployment, "Available").get("message") or "")
    if progressing.get("status") == "False":
        told = f'Revision "{name}" failed with message: {message}.'
        return Condition(type=CONFIGURATIONS, is_true=False, reason="RevisionFailed", message=told)
    return Condition(type=CONFIGURATIONS, is_true=None, reason="Deploying", message=message)


def _is_available(deployment: Document) -> bool:
    """Whether it can serve. One with no replicas can, once it has been looked at: requests wake it."""
    return _told(deployment, "Available").get("status") == "True"


def _told(deployment: Document, type_: str) -> Mapping[str, Any]:
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == type_), {})
