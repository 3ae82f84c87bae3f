"""The pod of a graph: what its router is told, whoever made the router."""

from typing import Any

import pytest

from fairlead.dialects.clusters import ClusterSettings
from fairlead.errors import InvalidManifest
from fairlead.pods.router import started
from support.isvc import isvc, model
from support.kserve_cluster import Cluster, settings_map

OURS = ClusterSettings(image="registry.example.com/fairlead:1", image_pull_secrets=("ours",))


def _graph(name: str = "flow", **spec: Any) -> dict[str, Any]:
    steps = [{"serviceName": "iris", "name": "first"}, {"serviceUrl": "http://example.com/other"}]
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": name, "namespace": "models"},
        "spec": {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}, **spec},
    }


def _pod(cluster: Cluster, graph: dict[str, Any] | None = None) -> dict[str, Any]:
    return dict(cluster.layout(graph or _graph()).workloads[0].pod.spec)


def test_our_router_understands_what_it_is_told() -> None:
    container = _pod(Cluster(OURS, (isvc(model()),)))["containers"][0]

    revision = started(container["args"], {}).revision

    assert container["command"] == ["fairlead", "router"]
    assert [unit.url for unit in revision.units] == [
        "http://iris-predictor.models.svc.cluster.local/v1/models/iris:predict",
        "http://example.com/other",
    ]


def test_a_router_of_somebody_else_s_is_started_as_it_is() -> None:
    config = settings_map(router='{"image": "kserve/router:v0.16.0", "imagePullSecrets": ["theirs"]}')

    pod = _pod(Cluster(OURS, (isvc(model()), config)))

    assert pod["containers"][0]["image"] == "kserve/router:v0.16.0"
    assert "command" not in pod["containers"][0]
    assert pod["imagePullSecrets"] == [{"name": "theirs"}]


def test_our_image_is_pulled_with_our_secret() -> None:
    assert _pod(Cluster(OURS, (isvc(model()),)))["imagePullSecrets"] == [{"name": "ours"}]


def test_a_change_of_the_scale_starts_no_new_router() -> None:
    cluster = Cluster(OURS, (isvc(model()),))

    assert _pod(cluster) == _pod(cluster, _graph(minReplicas=3, maxReplicas=9))


def test_a_graph_cannot_have_the_name_of_a_service_s_component() -> None:
    with pytest.raises(InvalidManifest, match="a graph needs a name of its own"):
        Cluster(OURS, (isvc(model()),)).layout(_graph("iris-predictor"))
