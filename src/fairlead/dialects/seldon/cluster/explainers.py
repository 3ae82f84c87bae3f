"""A predictor's explainer: a Deployment and a Service of its own.

It runs the upstream image: none of our runtimes gives explanations in Alibi's form, which is what its clients read.
"""

import json
from typing import Any

from fairlead.dialects.seldon import names, servers
from fairlead.dialects.seldon.cluster.containers import PRE_STOP, complete_image, port
from fairlead.dialects.seldon.cluster.engine import service_ports
from fairlead.dialects.seldon.cluster.environment import keep_last_variables, set_variables
from fairlead.dialects.seldon.cluster.labels import (
    APP,
    EXPLAINER,
    ID,
    annotations,
    predictor_labels,
    shared_labels,
)
from fairlead.dialects.seldon.cluster.pods import finish
from fairlead.dialects.seldon.cluster.raw import Json, add_missing, copied, fill
from fairlead.dialects.seldon.cluster.site import Site
from fairlead.dialects.seldon.cluster.storage import Fetch, add_model
from fairlead.dialects.seldon.cluster.workloads import STRATEGY
from fairlead.dialects.seldon.lower_env import MODELS
from fairlead.dialects.seldon.schema import Explainer
from fairlead.plan.layout import PodTemplate, Service, ServicePort, Workload

DEFAULT_PORT = 9000
_IMAGES = {False: "seldonio/alibiexplainer:1.18.2", True: "seldonio/mlserver:1.3.5-alibi-explain"}
_TAGS = {
    "AnchorTabular": "anchor_tabular",
    "AnchorImages": "anchor_image",
    "AnchorText": "anchor_text",
    "Counterfactuals": "counterfactuals",
    "Contrastive": "contrastive",
    "KernelShap": "kernel_shap",
    "IntegratedGradients": "integrated_gradients",
    "ALE": "ALE",
    "TreeShap": "tree_shap",
}


def explainer_of(site: Site) -> Explainer | None:
    """The explainer that is wanted, if any."""
    found = site.predictor.explainer
    return found if found is not None and found.is_wanted else None


def explainer_service(site: Site, explainer: Explainer) -> Service:
    """The Service. Its label names the predictor, its selector the explainer's pods."""
    name, number = names.explainer(site.sdep, site.predictor), explainer_port(site, explainer)
    return Service(
        name=name,
        selector={APP: name},
        ports=(ServicePort(name="http", port=number, target=number),),
        labels={**shared_labels(site), APP: site.key, EXPLAINER: "true"},
        annotations=site.predictor.annotations,
    )


def explainer_workload(site: Site, explainer: Explainer) -> Workload:
    """The Deployment, with as many pods as asked for while the predictor has any."""
    name = names.explainer(site.sdep, site.predictor)
    chosen = {ID: names.seldon_id(site.sdep), APP: name}
    labels = {**shared_labels(site), "app": name, "fluentd": "true", EXPLAINER: "true", **predictor_labels(site)}
    spec, own = _pod(site, explainer, name)
    predictor = site.predictor.replicas if site.predictor.replicas is not None else site.sdep.spec.replicas
    return Workload(
        name=name,
        pod=PodTemplate(spec=spec, labels={**labels, **chosen}, annotations=annotations(site), own=own),
        selector=chosen,
        labels={**labels, **chosen},
        annotations=annotations(site),
        replicas=0 if predictor == 0 else explainer.replicas,
        strategy=STRATEGY,
        component=site.predictor.name,
    )


def explainer_port(site: Site, explainer: Explainer) -> int:
    """The endpoint's port, or the one that its container calls `http`."""
    written = _written(site)
    named = next((item["containerPort"] for item in written.get("ports", []) if item.get("name") == "http"), 0)
    return (explainer.endpoint.service_port if explainer.endpoint else 0) or named or DEFAULT_PORT


def _written(site: Site) -> dict[str, Any]:
    """The user's container as JSON, with every field of it."""
    explainer = site.predictor.explainer
    if explainer is None or explainer.container_spec is None:
        return {}
    return dict(copied(explainer.container_spec.model_dump(by_alias=True, exclude_unset=True)))


def _pod(site: Site, explainer: Explainer, name: str) -> tuple[Json, frozenset[str]]:
    container = {**_written(site), "name": name}
    number = explainer_port(site, explainer)
    is_v2 = site.sdep.spec.protocol == servers.V2
    container.setdefault("image", _image(site, is_v2=is_v2))
    complete_image(container)
    keep_last_variables(container)
    add_missing(container, "ports", [port("http", number)])
    if is_v2:
        set_variables(container, _mlserver(site, explainer, name, number))
    else:
        fill(container, {"args": _arguments(site, explainer, number)})
    listens = {"tcpSocket": {"port": "http"}}
    often = {"periodSeconds": 5, "successThreshold": 1, "timeoutSeconds": 1}
    fill(container, {"livenessProbe": {**often, "initialDelaySeconds": 60, "failureThreshold": 5, **listens}})
    fill(container, {"readinessProbe": {**often, "initialDelaySeconds": 20, "failureThreshold": 7, **listens}})
    fill(container.setdefault("lifecycle", {}), PRE_STOP)
    spec: Json = {"containers": [container]}
    if explainer.service_account_name:
        spec["serviceAccountName"] = explainer.service_account_name
    own = add_model(site, spec, container, _fetch(site, explainer, name)) if explainer.model_uri else frozenset()
    finish(site, spec, is_secure=False)
    return spec, own


def _fetch(site: Site, explainer: Explainer, name: str) -> Fetch:
    return Fetch(
        container=name,
        uri=explainer.model_uri,
        path=f"{site.outer.path}.explainer.modelUri",
        env_secret=explainer.env_secret_ref_name,
        image=explainer.storage_initializer_image,
        service_account=explainer.service_account_name,
    )


def _image(site: Site, *, is_v2: bool) -> str:
    installation = site.installation
    related = installation.related.get("EXPLAINER_V2" if is_v2 else "EXPLAINER")
    configured = installation.tables["explainer"].get("image_v2" if is_v2 else "image")
    return str(related or configured or _IMAGES[is_v2])


def _arguments(site: Site, explainer: Explainer, number: int) -> list[str]:
    http, grpc = service_ports(site)
    host = f"{site.key}.{site.namespace}:{grpc if site.is_grpc else http}"
    arguments = [
        f"--model_name={site.predictor.graph.name}",
        f"--predictor_host={host}",
        f"--protocol={site.sdep.spec.protocol}.{'grpc' if site.is_grpc else 'http'}",
        f"--http_port={number}",
    ]
    if explainer.model_uri:
        arguments.append(f"--storage_uri={MODELS}")
    arguments.append(explainer.type)
    if explainer.type == "AnchorImages":
        arguments.append("--tf_data_type=float32")
    for key, value in sorted(explainer.config.items()):
        fetched = explainer.model_uri and value.startswith(explainer.model_uri)
        arguments.append(f"--{key}={MODELS + value.removeprefix(explainer.model_uri) if fetched else value}")
    return arguments


def _mlserver(site: Site, explainer: Explainer, name: str, number: int) -> dict[str, str]:
    """The variables of MLServer, which win over the container's own."""
    extra: Json = {
        "explainer_type": _TAGS.get(explainer.type, explainer.type),
        "infer_uri": f"http://{site.key}.{site.namespace}:{service_ports(site)[0]}/v2/models/{site.predictor.graph.name}/infer",
    }
    if explainer.init_parameters:
        try:
            extra["init_parameters"] = json.loads(explainer.init_parameters)
        except ValueError as error:
            site.findings.refuse(f"{site.outer.path}.explainer.initParameters", f"not JSON: {error}")
    return {
        "MLSERVER_HTTP_PORT": str(number),
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_alibi_explain.AlibiExplainRuntime",
        "MLSERVER_MODEL_NAME": name,
        "MLSERVER_MODEL_URI": MODELS,
        "MLSERVER_MODEL_EXTRA": json.dumps(extra, separators=(",", ":"), ensure_ascii=False),
    }
