"""The status of an LLMInferenceService, of what the cluster has of it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.deployments import deployment_condition
from fairlead.dialects.kserve.inference_service.cluster.ways_status import missing_way
from fairlead.dialects.kserve.inference_service.conditions import Condition, write
from fairlead.dialects.kserve.inference_service.rollout import is_stopped
from fairlead.dialects.kserve.llm.cluster import names
from fairlead.dialects.kserve.llm.status import (
    MAIN,
    PRESETS,
    ROUTER,
    ROUTES,
    STOPPED,
    TERMINAL,
    UNSUPPORTED,
    WORKLOADS,
    applied_refs,
    ready_of,
    stopped_parts,
)
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import Layout, Routing


def cluster_status(doc: Document, layout: Layout, observed: Observed, site: Site, *, now: str) -> dict[str, Any]:
    """The new status."""
    previous, name = doc.get("status") or {}, layout.owner.name
    if is_stopped(doc):
        conditions = [Condition(type=STOPPED, is_true=True), *stopped_parts()]
        written = write(conditions, previous, now=now, terminal=TERMINAL)
        return {"conditions": written, "observedGeneration": layout.owner.generation}
    main = _main(layout, observed)
    routes = _routes(layout, observed)
    conditions = [
        Condition(type=PRESETS, is_true=True),
        main,
        replace(main, type=WORKLOADS),
        *routes,
        *_unsupported(layout),
    ]
    return {
        **(_addresses(layout, site) if main.is_true or previous.get("url") else {}),
        **applied_refs(doc, site.world),
        "workloads": {
            "primary": {"apiGroup": "apps", "kind": "Deployment", "name": names.workload(name)},
            "service": {"kind": "Service", "name": names.service(name)},
        },
        "conditions": write([*conditions, ready_of(conditions)], previous, now=now, terminal=TERMINAL),
        "observedGeneration": layout.owner.generation,
    }


def _main(layout: Layout, observed: Observed) -> Condition:
    found = deployment_condition(observed.get("Deployment", names.workload(layout.owner.name)), MAIN)
    return Condition(type=MAIN, is_true=True) if found.is_true else found


def _routes(layout: Layout, observed: Observed) -> Iterator[Condition]:
    """A service that asks for no route has none that could be missing."""
    missing = missing_way(layout, observed, layout.routing or Routing.NONE)
    routes = Condition(type=ROUTES, is_true=True) if missing is None else replace(missing, type=ROUTES)
    if layout.exposures:
        yield routes
    yield replace(routes, type=ROUTER)


def _unsupported(layout: Layout) -> Iterator[Condition]:
    if layout.warnings:
        yield Condition(type=UNSUPPORTED, is_true=True, reason="NotDone", message=". ".join(layout.warnings))


def _addresses(layout: Layout, site: Site) -> dict[str, Any]:
    """The first one is for everybody: below the installation's host, or inside the cluster where there is no route."""
    owner, ingress = layout.owner, site.config.ingress
    host = f"{names.service(owner.name)}.{owner.namespace}.svc.{site.settings.cluster_domain}"
    found = [{"name": "internal", "url": f"http://{host}:{names.PORT}"}]
    if layout.exposures:
        outside = f"{ingress.url_scheme}://{ingress.ingress_domain}/{owner.namespace}/{owner.name}"
        found.insert(0, {"name": "gateway-external", "url": outside})
    return {"url": found[0]["url"], "addresses": found}
