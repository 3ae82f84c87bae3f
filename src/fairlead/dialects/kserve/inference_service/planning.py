"""The plan of an InferenceService: its components in all the versions that run now, and the way to them. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from fairlead.dialects.base import Document, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.config import IngressConfig
from fairlead.dialects.kserve.inference_service.claims import conflicts_of
from fairlead.dialects.kserve.inference_service.components import component_of, timeout_s
from fairlead.dialects.kserve.inference_service.hosts import Ingress
from fairlead.dialects.kserve.inference_service.lower import plan_of, templates_of
from fairlead.dialects.kserve.inference_service.modes import MODEL_MESH, deployment_mode, is_knative
from fairlead.dialects.kserve.inference_service.rollout import annotation, rolled_of, settled, traffic_percent
from fairlead.dialects.kserve.inference_service.routes import Addressed, entry_of, routes_of
from fairlead.dialects.kserve.inference_service.schema import KIND
from fairlead.dialects.kserve.inference_service.settings import Settings, read_settings
from fairlead.dialects.kserve.inference_service.template import ComponentTemplate
from fairlead.dialects.kserve.inference_service.variants import Rolled
from fairlead.dialects.kserve.trained_model.hosting import hosted_models
from fairlead.plan.model import Component, Owner, Plan

ROLLOUT_DURATION = "serving.knative.dev/rollout-duration"


def lower(doc: Document, *, catalog: Catalog, world: World) -> Plan:
    """The plan of a defaulted document, whose `status` says how far its roll-outs have got. Raises `InvalidManifest`
    for what cannot be run, and `ConfigError` for settings that are wrong."""
    settings = read_settings(world)
    mode = settings.service.default_mode
    findings = Findings()
    templates = templates_of(doc, world=world, is_knative=is_knative(doc, mode))
    if annotation(doc, ROLLOUT_DURATION) not in ("", "0", "0s"):
        findings.warn(f"annotation {ROLLOUT_DURATION} is ignored: requests move to a new revision at once")
    if deployment_mode(doc, mode) == MODEL_MESH:
        findings.warn("deploymentMode ModelMesh is not there: the service runs by itself, as in Standard mode")
    if not is_knative(doc, mode):
        warn_of_percents(templates, doc, findings)
    rolled = [replace(one, timeout_s=_timeout_s(one)) for one in rolled_of(doc, templates, world)]
    ingress = ingress_of(settings.service.ingress)
    conflicts = conflicts_of(doc, world, ingress, mode)
    addressed = Addressed(
        doc=doc,
        ingress=ingress,
        is_knative=is_knative(doc, mode),
        lost=frozenset(conflict.host for conflict in conflicts),
    )
    components = _components(doc, rolled, catalog, settings, findings, world)
    meta = doc["metadata"]
    routes = routes_of(addressed, rolled, entry_of(doc, rolled)) if rolled else ()
    docs = f"/serving/{meta.get('namespace', '')}/{meta['name']}/docs/" if rolled else ""
    plan = plan_of(doc, components, routes, findings, docs_path=docs)
    before = dict.fromkeys((one.namespace, one.name) for one in conflicts)
    behind = (Owner(api_version="", kind=KIND, namespace=namespace, name=name) for namespace, name in before)
    return replace(plan, behind=tuple(behind))


def ingress_of(config: IngressConfig) -> Ingress:
    """What the settings say about addresses."""
    return Ingress(
        domain=config.ingress_domain,
        domain_template=config.domain_template,
        path_template=config.path_template,
        additional_domains=tuple(config.additional_ingress_domains),
        scheme=config.url_scheme,
        is_disabled=config.disable_ingress_creation,
        has_virtual_host=not config.disable_istio_virtual_host,
    )


def _components(
    doc: Document, rolled: Sequence[Rolled], catalog: Catalog, settings: Settings, findings: Findings, world: World
) -> list[Component]:
    found: list[Component] = []
    for one in rolled:
        for variant in one.variants:
            component = component_of(variant.template, catalog=catalog, settings=settings, findings=findings)
            if component is not None:
                found.append(_hosting(settled(component, variant), doc, world))
        found += one.carried
    return found


def _hosting(component: Component, doc: Document, world: World) -> Component:
    """The component with the models of others, if it is for those."""
    if not any(unit.holds_models for unit in component.revision.units):
        return component
    return replace(component, hosted=hosted_models(doc, world))


def _timeout_s(rolled: Rolled) -> float | None:
    """The newest version's; of a predictor with canaries the stable one's."""
    if not rolled.variants:
        return None
    newest = rolled.variants[-1] if rolled.variants[-1].template.is_knative else rolled.variants[0]
    return timeout_s(newest.template)


def warn_of_percents(templates: Sequence[ComponentTemplate], doc: Document, findings: Findings) -> None:
    """Say of shares in Standard mode that nobody gets them."""
    for role in dict.fromkeys(template.role for template in templates):
        if traffic_percent(doc, role) is not None:
            findings.warn(
                f"spec.{role}.canaryTrafficPercent is ignored: Standard mode keeps no old revision to share requests "
                "with; name a second predictor in spec.canary, or deploy in Knative mode"
            )
