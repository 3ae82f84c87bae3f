"""The labels of every object, and the annotations of pods.

Scripts select by them, so they are upstream's. A key or value that an API server would refuse for its length is
replaced by its digest, as names are; upstream's operator fails there.
"""

import hashlib
from collections.abc import Iterable, Mapping

from fairlead.dialects.seldon import names
from fairlead.dialects.seldon.cluster.engine import prometheus_annotations
from fairlead.dialects.seldon.cluster.site import Engine, Site
from fairlead.dialects.seldon.context import NodeContext
from fairlead.dialects.seldon.lower_graph import node_kind

ID, APP, MANAGED_BY = "seldon-deployment-id", "seldon-app", "app.kubernetes.io/managed-by"
MANAGER = "seldon-core"
HAS_ORCHESTRATOR = "seldon-deployment-contains-svcorch"
EXPLAINER = "seldon.io/explainer"
_SERVICE = "seldon-app-svc-"


def service_label(container: str) -> str:
    """The key under which a pod carries the Service of one of its containers."""
    if len(_SERVICE) + len(container) <= names.LONGEST_NAME:
        return f"{_SERVICE}{container}"
    return f"{_SERVICE}{hashlib.md5(container.encode(), usedforsecurity=False).hexdigest()}"


def shared_labels(site: Site) -> dict[str, str]:
    """What everything of a deployment carries."""
    return {ID: names.seldon_id(site.sdep), MANAGED_BY: MANAGER}


def predictor_labels(site: Site) -> dict[str, str]:
    """A predictor's own labels; `version` is its name where nothing else is said, which may be too long for a label."""
    labels = dict(site.predictor.labels)
    if labels.get("version") == site.predictor.name:
        labels["version"] = names.shorten(site.predictor.name)
    return labels


def subset_labels(site: Site) -> dict[str, str]:
    """What tells a predictor's pods from those of the others."""
    return {"version": predictor_labels(site)["version"]}


def pod_labels(site: Site, index: int) -> dict[str, str]:
    """The labels of pod number `index`."""
    labels = {**shared_labels(site), "app": site.deployment_name(index), "fluentd": "true"}
    for context in site.nodes_in(index):
        labels |= kind_label(context)
    if site.predictor.shadow:
        labels["seldon.io/shadow"] = "true"
    written = site.predictor.component_specs[index].metadata.labels
    return {**labels, **predictor_labels(site), **written, **selector(site, index)}


def selector(site: Site, index: int) -> dict[str, str]:
    """What a Deployment knows its pods by. They carry these whatever a user's labels say. Pods without a node of the
    graph would be told apart from the others by nothing, so those are known by their Deployment too."""
    chosen = {ID: names.seldon_id(site.sdep)}
    for context in site.nodes_in(index):
        name = context.node.name
        chosen[service_label(name)] = names.container_service(site.sdep, site.predictor, name)
    if site.pod_of_engine() == index:
        chosen[APP] = site.key
    return chosen if len(chosen) > 1 else {**chosen, "app": site.deployment_name(index)}


def kind_label(context: NodeContext) -> dict[str, str]:
    """What a node is, as a label."""
    return {f"seldon.io/{node_kind(context.node)}": "true"}


def orchestrator_labels(site: Site) -> dict[str, str]:
    """The labels of an orchestrator that has a pod of its own."""
    key = site.key
    labels = {"version": "v1", **shared_labels(site), "app": names.orchestrator(site.sdep, site.predictor)}
    return {**labels, "fluentd": "true", HAS_ORCHESTRATOR: "true", **predictor_labels(site), **{ID: key, APP: key}}


def annotations(site: Site, levels: Iterable[Mapping[str, str]] = ()) -> dict[str, str]:
    """The annotations of a Deployment: those of the whole, the predictor, and further levels; the last one wins."""
    merged = {**site.sdep.spec.annotations, **site.predictor.annotations}
    for level in levels:
        merged |= level
    return merged


def pod_annotations(site: Site, index: int) -> dict[str, str]:
    """The annotations of pod number `index`."""
    written = site.predictor.component_specs[index].metadata.annotations
    return {**prometheus_annotations(site), **annotations(site, [written])}


def has_orchestrator(site: Site, index: int) -> bool:
    """Whether a Deployment says that the orchestrator is in its pods."""
    return site.engine in (Engine.BESIDE, Engine.FUSED) and site.pod_of_engine() == index
