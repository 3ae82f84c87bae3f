"""A predictor's pods, complete: what their user wrote, and everything that the operator adds to it."""

from fairlead.dialects.seldon.cluster.certificates import add_certificate
from fairlead.dialects.seldon.cluster.containers import (
    POD_INFO_VOLUME,
    add_tensorflow_serving,
    complete,
    fetches_itself,
    with_distinct_ports,
)
from fairlead.dialects.seldon.cluster.engine import CONTAINER, orchestrator_container
from fairlead.dialects.seldon.cluster.fused import fuse, model_folder
from fairlead.dialects.seldon.cluster.labels import pod_annotations, pod_labels
from fairlead.dialects.seldon.cluster.programs import Style, orchestrator_image
from fairlead.dialects.seldon.cluster.raw import Json, add_missing, copied, fill
from fairlead.dialects.seldon.cluster.site import Engine, Site
from fairlead.dialects.seldon.cluster.storage import Fetch, add_model
from fairlead.dialects.seldon.context import NodeContext
from fairlead.dialects.seldon.lower_env import MODELS
from fairlead.plan.layout import PodTemplate

GRACE_S = 20


def pod_template(site: Site, index: int) -> PodTemplate:
    """The template of pod number `index`."""
    spec: Json = copied(site.pods[index]["spec"])
    nodes = list(site.nodes_in(index))
    own = _complete_containers(site, nodes, spec)
    for context in nodes:
        if context.node.service_account_name:
            fill(spec, {"serviceAccountName": context.node.service_account_name})
    if site.engine is Engine.BESIDE and site.pod_of_engine() == index:
        spec["containers"].append(orchestrator_container(site))
        if not orchestrator_image(site.sdep, site.installation):
            own |= {CONTAINER}
    has_root = any(context.node.name == site.predictor.graph.name for context in nodes)
    finish(site, spec, is_secure=has_root or site.pod_of_engine() == index)
    return PodTemplate(spec=spec, labels=pod_labels(site, index), annotations=pod_annotations(site, index), own=own)


def finish(site: Site, spec: Json, *, is_secure: bool) -> None:
    """What all pods have in common. One that `is_secure` gets the predictor's certificate, if there is one."""
    add_missing(spec, "volumes", [pod_info_volume()])
    fill(
        spec,
        {
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "terminationGracePeriodSeconds": GRACE_S,
        },
    )
    if not spec.get("securityContext") and site.installation.user is not None:
        spec["securityContext"] = {"runAsUser": site.installation.user}
    if is_secure and site.certificate:
        add_certificate(spec, site.certificate)
    for container in spec["containers"]:
        with_distinct_ports(container)


def pod_info_volume() -> Json:
    """The pod's annotations as a file."""
    annotations = {"path": "annotations", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.annotations"}}
    return {"name": POD_INFO_VOLUME, "downwardAPI": {"items": [annotations], "defaultMode": 420}}


def _complete_containers(site: Site, nodes: list[NodeContext], spec: Json) -> frozenset[str]:
    """Complete the containers of the graph; the names of those that run our image."""
    by_name = {item["name"]: item for item in reversed(spec["containers"])}
    if site.engine is Engine.FUSED:
        return _fused(site, nodes, spec, by_name)
    own: frozenset[str] = frozenset()
    for context in nodes:
        container = by_name[context.node.name]
        program = complete(site, context, container)
        if program.is_own:
            own |= {context.node.name}
        if program.style is Style.TENSORFLOW_PROXY:
            container = add_tensorflow_serving(site, context, spec)
        if context.node.model_uri and not fetches_itself(site, context):
            own |= add_model(site, spec, container, fetch_of(context, container["name"]))
        elif context.node.model_uri and context.node.env_secret_ref_name:
            sources = container.setdefault("envFrom", [])
            sources.append({"secretRef": {"name": context.node.env_secret_ref_name}})
    return own


def _fused(site: Site, nodes: list[NodeContext], spec: Json, by_name: dict[str, Json]) -> frozenset[str]:
    """One container in the place of the first node's; the others are gone."""
    kept = fuse(site, nodes, [by_name[context.node.name] for context in nodes])
    gone = {context.node.name for context in nodes[1:]}
    spec["containers"] = [item for item in spec["containers"] if item["name"] not in gone]
    own = frozenset({kept["name"]})
    for context in nodes:
        if context.node.model_uri:
            own |= add_model(site, spec, kept, fetch_of(context, context.node.name, model_folder(site, context)))
    return own


def fetch_of(context: NodeContext, container: str, folder: str = MODELS) -> Fetch:
    """What a node says about its model."""
    node = context.node
    return Fetch(
        container=container,
        uri=node.model_uri,
        path=f"{context.path}.modelUri",
        env_secret=node.env_secret_ref_name,
        image=node.storage_initializer_image,
        service_account=node.service_account_name,
        folder=folder,
    )
