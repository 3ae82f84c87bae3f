"""A plan's status in the words of an InferenceService's `status`.

Clients read `url`, `address`, `components`, `modelStatus` and the conditions. The status is also the memory of
roll-outs: which revisions were ready and had all requests is nowhere else, so what it says decides the next plan.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.config import InferenceServiceConfig, read_config
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.claims import conflicts_of
from fairlead.dialects.kserve.inference_service.conditions import Condition, write
from fairlead.dialects.kserve.inference_service.model_status import model_status
from fairlead.dialects.kserve.inference_service.modes import KNATIVE, deployment_mode
from fairlead.dialects.kserve.inference_service.planning import ingress_of
from fairlead.dialects.kserve.inference_service.progress import Progress, progress_of
from fairlead.dialects.kserve.inference_service.records import runtime_of
from fairlead.dialects.kserve.inference_service.rollout import is_stopped
from fairlead.dialects.kserve.inference_service.routes import Addressed
from fairlead.dialects.kserve.inference_service.status_canaries import canary_conditions, canary_statuses
from fairlead.dialects.kserve.inference_service.status_conditions import (
    aggregate_all,
    ingress_condition,
    knative_conditions,
    standard_conditions,
    stopped_conditions,
)
from fairlead.dialects.kserve.inference_service.status_failed import failed
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ROLES, TRANSFORMER
from fairlead.dialects.kserve.inference_service.traffic import Share, write_rollout
from fairlead.dialects.kserve.inference_service.urls import Urls
from fairlead.errors import ConfigError
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus


def status_of(
    doc: Document,
    plan: Plan,
    observed: PlanStatus,
    *,
    world: World,
    external_url: str,
    now: str,
) -> dict[str, Any]:
    """The new status of a document that was lowered."""
    try:
        return _status_of(doc, plan, observed, read_config(world), world, external_url, now)
    except ConfigError as error:
        return failed(doc, error, world=world, now=now)


def _status_of(
    doc: Document,
    plan: Plan,
    observed: PlanStatus,
    config: InferenceServiceConfig,
    world: World,
    external_url: str,
    now: str,
) -> dict[str, Any]:
    mode = deployment_mode(doc, config.default_mode)
    if is_stopped(doc) or not plan.components:
        return _stopped(doc, mode, observed, now)
    is_knative = mode == KNATIVE
    ingress = ingress_of(config.ingress)
    conflicts = conflicts_of(doc, world, ingress, config.default_mode)
    urls = Urls(addressed=Addressed(doc=doc, ingress=ingress, is_knative=is_knative), external_url=external_url)
    roles = [role for role in ROLES if any(one.role == role for one in plan.components)]
    progress = [progress_of(doc, plan, observed, role, is_knative=is_knative) for role in roles]
    conditions = knative_conditions(progress) if is_knative else standard_conditions(progress)
    conditions += canary_conditions(doc, plan, observed)
    is_in_service = told.is_in_service(doc)
    is_routed = observed.routed or is_in_service
    conditions.append(
        ingress_condition(progress, conditions, conflicts, is_routed=is_routed, is_in_service=is_in_service)
    )
    entry = TRANSFORMER if TRANSFORMER in roles else PREDICTOR
    predictor = progress[0]
    url = urls.service(entry)
    is_lost = urlsplit(url).hostname in {conflict.host for conflict in conflicts}
    written = {
        "url": "" if is_lost else url,
        "address": {"url": urls.inside(plan.owner.name if is_knative else f"{plan.owner.name}-{entry}")},
        "components": _components(doc, progress, urls, is_knative=is_knative),
        "modelStatus": model_status(
            predictor.newest,
            told.model_status(doc),
            is_current=predictor.is_current and predictor.newest_health.is_new,
            is_serving=any(health.answers for health in predictor.serving),
            ready=predictor.ready,
            now=now,
        ),
        "deploymentMode": mode,
        **_runtime(runtime_of(doc, plan, world=world, has_revisions=is_knative)),
        **canary_statuses(doc, plan, observed, now=now),
        "conditions": write(aggregate_all(conditions), told.status_of(doc), now=now),
        "observedGeneration": observed.owner.generation,
    }
    return {key: value for key, value in written.items() if value not in ("", {}, None)}


def _components(doc: Document, progress: Sequence[Progress], urls: Urls, *, is_knative: bool) -> dict[str, Any]:
    found = {one.role: _component(one, told.component(doc, one.role), urls, is_knative=is_knative) for one in progress}
    return {role: written for role, written in found.items() if written}


def _component(progress: Progress, before: Mapping[str, Any], urls: Urls, *, is_knative: bool) -> dict[str, Any]:
    role = progress.role
    if not is_knative:
        return {"url": urls.part(role)} if progress.is_up else {}
    written: dict[str, Any] = write_rollout(progress.rollout)
    if not progress.is_up:
        return written
    shares = [_share(share, role, urls) for share in progress.shares]
    return {
        "url": urls.part(role),
        "restUrl": urls.part(role),
        "grpcUrl": urls.grpc(role),
        "address": {"url": urls.inside(f"{urls.addressed.name}-{role}")},
        **written,
        # What is told is in force; whoever waits for it may go on from there.
        "traffic": before.get("traffic") or shares if progress.is_turning else shares,
    }


def _share(share: Share, role: str, urls: Urls) -> dict[str, Any]:
    written: dict[str, Any] = {
        "revisionName": share.revision,
        "latestRevision": share.is_latest,
        "percent": share.percent,
    }
    return {**written, "tag": share.tag, "url": urls.part(role, tag=share.tag)} if share.tag else written


def _runtime(runtime: Mapping[str, Any] | None) -> dict[str, str]:
    if runtime is None:
        return {}
    return {told.RUNTIME_FIELDS[str(runtime["kind"])]: str(runtime["name"])}


def _stopped(doc: Document, mode: str, observed: PlanStatus, now: str) -> dict[str, Any]:
    has_canaries = bool(doc.get("spec", {}).get("canary"))
    conditions: Sequence[Condition] = stopped_conditions(has_canaries=has_canaries)
    return {
        "deploymentMode": mode,
        "conditions": write(conditions, told.status_of(doc), now=now),
        "observedGeneration": observed.owner.generation,
    }
