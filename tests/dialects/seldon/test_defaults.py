from typing import Any

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.seldon.defaults import Defaulted, Ports, apply_defaults
from fairlead.dialects.seldon.reading import read
from support.sdep import MODEL, pod, predictor, sdep


def defaulted(doc: dict[str, Any]) -> Defaulted:
    return apply_defaults(read(doc), catalog=Catalog())


def test_the_argument_is_not_changed() -> None:
    original = read(sdep())

    apply_defaults(original, catalog=Catalog())

    assert original == read(sdep())


def test_namespace_labels_and_type_are_filled_in() -> None:
    doc = sdep(predictor("a", labels={"team": "blue"}, traffic=50), predictor("b", labels={"version": "9"}, traffic=50))
    del doc["metadata"]["namespace"]

    found = defaulted(doc).deployment

    assert found.metadata.namespace == "default"
    assert [item.labels for item in found.spec.predictors] == [{"team": "blue", "version": "a"}, {"version": "9"}]
    assert [item.graph.type for item in found.spec.predictors] == ["MODEL", "MODEL"]


def test_only_a_node_that_says_nothing_becomes_a_model() -> None:
    graph = {
        "name": "plain",
        "children": [
            {"name": "methods", "methods": ["ROUTE"]},
            {"name": "builtin", "implementation": "SIMPLE_MODEL"},
            {**MODEL, "type": "ROUTER"},
        ],
    }

    root = defaulted(sdep(predictor(graph=graph))).deployment.spec.predictors[0].graph

    assert (root.type, root.implementation) == ("MODEL", "UNKNOWN_IMPLEMENTATION")
    assert [child.type for child in root.children] == [None, None, "MODEL"]


def test_a_prepackaged_server_gets_a_container_with_its_image() -> None:
    found = defaulted(sdep()).deployment.spec.predictors[0]

    (container,) = found.component_specs[0].spec.containers
    assert (container.name, container.image) == ("classifier", "seldonio/sklearnserver:1.18.2")
    assert found.graph.endpoint is not None
    assert (found.graph.endpoint.service_host, found.graph.endpoint.service_port) == ("localhost", 9000)


def test_the_users_image_stays() -> None:
    doc = sdep(predictor(componentSpecs=[pod({"name": "classifier", "image": "acme/sklearnserver:2"})]))

    assert (
        defaulted(doc).deployment.spec.predictors[0].component_specs[0].spec.containers[0].image
        == "acme/sklearnserver:2"
    )


def test_ports_are_counted_over_the_deployment_and_remembered_by_name() -> None:
    pods = [pod({"name": "sidecar", "image": "x"}, {"name": "a", "image": "x"})]
    graph = {"name": "a", "children": [MODEL]}
    doc = sdep(predictor("one", graph=graph, componentSpecs=pods, traffic=50), predictor("two", traffic=50))

    assert defaulted(doc).ports == {
        (0, "a"): Ports(9001, 9501, 6000),
        (0, "classifier"): Ports(9002, 9502, 6001),
        (1, "classifier"): Ports(9002, 9502, 6002),
    }


def test_ports_that_the_container_names_replace_the_numbers() -> None:
    ports = [
        {"name": "http", "containerPort": 8080},
        {"name": "grpc", "containerPort": 8081},
        {"name": "metrics", "containerPort": 8082},
    ]
    doc = sdep(predictor(componentSpecs=[pod({"name": "classifier", "ports": ports})]))

    assert defaulted(doc).ports == {(0, "classifier"): Ports(8080, 8081, 8082)}


def test_nodes_outside_the_first_pod_are_reached_by_their_service() -> None:
    graph = {"name": "a", "children": [{"name": "b", "endpoint": {"type": "GRPC"}}]}
    doc = sdep(
        predictor(graph=graph, componentSpecs=[pod({"name": "a", "image": "x"}), pod({"name": "b", "image": "x"})])
    )

    child = defaulted(doc).deployment.spec.predictors[0].graph.children[0]

    assert child.endpoint is not None
    assert child.endpoint.service_host == "iris-default-b.seldon.svc.cluster.local"
    assert child.endpoint.service_port == child.endpoint.grpc_port == 9501


def test_a_separate_orchestrator_reaches_every_node_by_its_service() -> None:
    doc = sdep(annotations={"seldon.io/engine-separate-pod": "True"})

    endpoint = defaulted(doc).deployment.spec.predictors[0].graph.endpoint

    assert endpoint is not None
    assert endpoint.service_host == "iris-default-classifier.seldon.svc.cluster.local"
