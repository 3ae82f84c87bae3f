"""Which names and paths of an InferenceService lead where."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from fairlead.dialects.kserve.config import shipped_config
from fairlead.dialects.kserve.inference_service.routes import EXPLAIN
from fairlead.plan.model import Plan
from fairlead.plan.status import Phase
from support.isvc import container, isvc, model
from support.rollouts import Installation, Life, weights

STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}


def installed(**ingress: Any) -> Installation:
    data = shipped_config("example.org")
    data["ingress"] = json.dumps({**json.loads(data["ingress"]), **ingress})
    metadata = {"name": "inferenceservice-config", "namespace": "kserve"}
    return Installation({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def transforming(**others: Any) -> dict[str, Any]:
    return isvc(model(), transformer=container("transformer-image"), **others)


def settled(doc: dict[str, Any], **ingress: Any) -> Life:
    life = Life(doc=doc, world=installed(**ingress))
    life.settle()
    return life


def outside(plan: Plan) -> dict[str, Mapping[str, int]]:
    """The public names, and who answers."""
    hosts = dict.fromkeys(route.host for route in plan.routes if route.host.endswith(".org"))
    return {host: weights(plan, host) for host in hosts}


def test_a_service_of_knatives_mode_has_all_its_names() -> None:
    plan = settled(isvc(model())).look()

    places = [(route.host, route.path_prefix) for route in plan.routes]
    assert places == [
        ("iris.models.example.org", "/"),
        ("iris.models.svc.cluster.local", "/"),
        ("iris.models.svc", "/"),
        ("iris.models", "/"),
        ("", "/serving/models/iris/"),
        ("iris-predictor.models.example.org", "/"),
        ("iris-predictor.models.svc.cluster.local", "/"),
        ("iris-predictor.models.svc", "/"),
        ("iris-predictor.models", "/"),
        ("", "/serving/models/iris-predictor/"),
    ]
    assert not any(route.is_internal for route in plan.routes)
    assert {route.timeout_s for route in plan.routes} == {300.0}


def test_standard_mode_makes_outside_names_by_the_template() -> None:
    life = settled(isvc(model(), annotations=STANDARD))

    assert outside(life.look()) == {
        "iris-models.example.org": {"predictor": 100},
        "iris-predictor-models.example.org": {"predictor": 100},
    }
    assert life.doc["status"]["url"] == "http://iris-models.example.org:8080"
    assert life.doc["status"]["address"] == {"url": "http://iris-predictor.models.svc.cluster.local"}


def test_requests_go_to_the_transformer_and_explanations_to_the_explainer() -> None:
    doc = transforming(explainer=container("explainer-image"))
    plan = settled(doc).look()

    assert outside(plan) == {
        "iris.models.example.org": {"transformer-00001": 100},
        "iris-predictor.models.example.org": {"predictor-00001": 100},
        "iris-transformer.models.example.org": {"transformer-00001": 100},
        "iris-explainer.models.example.org": {"explainer-00001": 100},
    }
    explaining = [route for route in plan.routes if route.path_pattern]
    assert {route.host or route.path_prefix for route in explaining} == {
        "iris.models.example.org",
        "iris.models.svc.cluster.local",
        "iris.models.svc",
        "iris.models",
        "/serving/models/iris/",
    }
    assert {target.component for route in explaining for target in route.targets} == {"explainer-00001"}


@pytest.mark.parametrize(
    ("path", "is_explained"),
    [
        ("/v1/models/iris:explain", True),
        ("/v1/models/iris:predict", False),
        ("/v2/models/iris/explain", True),
        ("/v2/models/iris/versions/3/explain", True),
        ("/v2/models/iris/infer", False),
        ("/x/v1/models/iris:explain", False),
    ],
)
def test_explanations_are_known_by_their_path(path: str, is_explained: bool) -> None:
    assert bool(re.fullmatch(EXPLAIN, path)) is is_explained


@pytest.mark.parametrize("label", ["networking.knative.dev/visibility", "networking.kserve.io/visibility"])
def test_a_service_for_its_cluster_is_for_our_own_services_only(label: str) -> None:
    life = settled(isvc(model(), labels={label: "cluster-local"}))

    assert all(route.is_internal for route in life.look().routes)
    assert life.doc["status"]["url"] == "http://iris.models.svc.cluster.local"


def test_without_an_ingress_standard_mode_has_inside_names_only() -> None:
    life = settled(isvc(model(), annotations=STANDARD), disableIngressCreation=True)

    assert outside(life.look()) == {}
    assert all(route.is_internal for route in life.look().routes)
    assert {one["type"]: one["status"] for one in life.doc["status"]["conditions"]}["IngressReady"] == "True"


def test_other_domains_and_a_path_lead_to_the_whole_service() -> None:
    life = settled(
        isvc(model()),
        additionalIngressDomains=["more.org"],
        pathTemplate="/by/{{ .Namespace }}/{{ .Name }}",
        urlScheme="https",
    )

    plan = life.look()
    (by_path,) = [route for route in plan.routes if route.host == "example.org"]
    assert (by_path.path_prefix, by_path.rewrite) == ("/by/models/iris/", "/")
    assert weights(plan, "iris.models.more.org") == {"predictor-00001": 100}
    assert "iris-predictor.models.more.org" not in outside(plan)
    assert life.doc["status"]["url"] == "https://example.org:8080/by/models/iris"


def test_without_the_virtual_host_the_first_component_is_the_service() -> None:
    life = settled(transforming(), disableIstioVirtualHost=True)

    assert "iris.models.example.org" not in outside(life.look())
    assert life.doc["status"]["url"] == "http://iris-transformer.models.example.org:8080"


def test_tags_have_names_of_their_own() -> None:
    life = settled(isvc(model(uri="gs://m/1"), annotations={"serving.kserve.io/enable-tag-routing": "true"}))
    life.model("gs://m/2")
    life.change(canaryTrafficPercent=0)
    plan = life.settle()

    assert weights(plan, "iris.models.example.org") == {"predictor-00001": 100}
    assert weights(plan, "prev-iris-predictor.models.example.org") == {"predictor-00001": 100}
    assert weights(plan, "latest-iris-predictor.models.example.org") == {"predictor-00002": 100}
    assert weights(plan, "/serving/models/latest-iris-predictor/") == {"predictor-00002": 100}
    assert weights(plan, "latest-iris-predictor.models") == {"predictor-00002": 100}


def test_a_transformer_that_is_new_to_a_service_takes_requests_once_it_is_ready() -> None:
    life = settled(isvc(model()))
    life.doc = {**life.doc, "spec": {**life.doc["spec"], "transformer": container("transformer-image")}}
    for phase in (Phase.STARTING, Phase.FAILED):
        life.fate["transformer-00001"] = phase
        life.restart()
        life.settle()
        assert weights(life.look(), "iris.models.example.org") == {"predictor-00001": 100}
        ingress = next(one for one in life.doc["status"]["conditions"] if one["type"] == "IngressReady")
        assert (ingress["status"], ingress["reason"]) == (
            "False" if phase is Phase.FAILED else "Unknown",
            "TransformerIsNew",
        )

    life.fate.clear()
    life.settle()
    assert weights(life.look(), "iris.models.example.org") == {"transformer-00001": 100}


def test_requests_of_a_new_service_wait_for_its_transformer() -> None:
    life = Life(doc=transforming(), world=installed(), fate={"transformer-00001": Phase.STARTING})

    life.settle()

    assert weights(life.look(), "iris.models.example.org") == {"transformer-00001": 100}


def test_a_timeout_is_the_first_components() -> None:
    plan = settled(isvc({**model(), "timeout": 7})).look()

    assert {(route.timeout_s, route.grpc_timeout_s) for route in plan.routes} == {(7.0, 7.0)}
