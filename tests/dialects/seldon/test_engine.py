"""What the orchestrator of a pod is told, as a revision: nodes that are asked, and nodes inside of it."""

from typing import Any

import pytest

from fairlead.dialects.seldon.engine import Engine, Told, lower_engine
from fairlead.errors import ConfigError
from fairlead.plan.model import Protocol


def _told(**changes: Any) -> Told:
    return Told(**{"service": "iris", "namespace": "team", "name": "default", "annotations": {}, "env": {}} | changes)


def _node(name: str, **fields: Any) -> dict[str, Any]:
    endpoint = {"service_host": "localhost", "service_port": 9000, "httpPort": 9000, "grpcPort": 9500}
    return {"name": name, "type": "MODEL", "endpoint": endpoint, **fields}


def _lower(graph: dict[str, Any], *, predictor: dict[str, Any] | None = None, **changes: Any) -> Engine:
    return lower_engine({"name": "default", "graph": graph, **(predictor or {})}, _told(**changes))


def test_a_node_is_asked_where_its_endpoint_says() -> None:
    engine = _lower(_node("model"))

    (unit,) = engine.revision.units
    assert (unit.name, unit.runtime, unit.http_port) == ("model", "remote", 9000)
    (reached,) = engine.reached
    assert (reached.address, reached.grpc_address) == ("localhost:9000", "localhost:9500")


@pytest.mark.parametrize("changes", [{"transport": "grpc"}, {}])
def test_a_node_of_grpc_alone_is_asked_over_grpc(changes: dict[str, Any]) -> None:
    endpoint = {"service_host": "localhost", "service_port": 9500, "type": "" if changes else "GRPC"}
    engine = _lower(_node("model", endpoint=endpoint), **changes)

    (reached,) = engine.reached
    assert reached.address == reached.grpc_address == "localhost:9500"
    assert engine.revision.units[0].http_port == 0


def test_an_address_of_ipv6_is_bracketed() -> None:
    endpoint = {"service_host": "fd00::1", "service_port": 9000}

    assert _lower(_node("model", endpoint=endpoint)).reached[0].address == "[fd00::1]:9000"


def test_a_node_inside_is_what_its_implementation_says_and_keeps_its_ports() -> None:
    graph = _node("classifier", implementation="SKLEARN_SERVER", modelUri="gs://bucket/model")
    container = {
        "name": "classifier",
        "image": "registry/fairlead:1",
        "ports": [{"name": "metrics", "containerPort": 6005}],
    }
    pods = {"componentSpecs": [{"spec": {"containers": [container]}}]}

    engine = _lower(graph, predictor=pods, inside=("classifier",))

    (unit,) = engine.revision.units
    assert (unit.runtime, unit.image) == ("sklearn", "registry/fairlead:1")
    (inside,) = engine.inside
    assert (inside.http_port, inside.grpc_port, inside.metrics_port) == (9000, 9500, 6005)
    assert engine.reached == ()


def test_what_the_kubelet_did_already_is_no_matter_of_the_process() -> None:
    graph = _node("classifier", implementation="SKLEARN_SERVER")
    secret = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    container = {
        "name": "classifier",
        "env": [secret, {"name": "A", "value": "b"}],
        "envFrom": [{"secretRef": {"name": "s"}}],
        "volumeMounts": [{"name": "models", "mountPath": "/mnt/models"}],
    }
    inits = [{"name": "fetch", "image": "team/fetch:1", "volumeMounts": [{"name": "models", "mountPath": "/m"}]}]
    pods = {"componentSpecs": [{"spec": {"containers": [container], "initContainers": inits}}]}

    (unit,) = _lower(graph, predictor=pods, inside=("classifier",)).revision.units

    given = {variable.name: variable.value for variable in unit.env}
    assert (unit.runtime, given["A"], unit.env_from) == ("sklearn", "b", ())
    assert "TOKEN" not in given


def test_a_graph_of_both_is_walked_as_written() -> None:
    leaf = _node("classifier", implementation="XGBOOST_SERVER", modelUri="s3://a/b")
    graph = {"name": "router", "implementation": "SIMPLE_ROUTER", "children": [_node("a"), leaf]}

    engine = _lower(graph, inside=("classifier",), protocol="v2")

    assert [unit.runtime for unit in engine.revision.units] == ["builtin", "remote", "xgboost"]
    assert engine.revision.units[2].variant == "mlserver"
    assert engine.revision.protocol is Protocol.V2


def test_annotations_and_the_environment_are_the_pod_s() -> None:
    graph = _node("model", logger={"mode": "all"})
    annotations = {"seldon.io/rest-timeout": "2000", "seldon.io/grpc-timeout": "500"}

    revision = _lower(graph, annotations=annotations, env={"REQUEST_LOGGER_DEFAULT_ENDPOINT": "http://sink"}).revision

    assert (revision.timeout_s, revision.grpc_timeout_s) == (2.0, 0.5)
    assert [logger.unit for logger in revision.loggers] == ["model"]
    assert revision.settings == {"REQUEST_LOGGER_DEFAULT_ENDPOINT": "http://sink"}


@pytest.mark.parametrize(
    ("graph", "changes", "problem"),
    [
        ({"name": "model", "type": "MODEL"}, {}, "node model has no endpoint"),
        (_node("model"), {"inside": ("other",)}, "--in-process other: the graph has no such node; it has model"),
        (_node("model"), {"inside": ("model",)}, "--in-process model: it is no prepackaged server"),
        ({"name": 7}, {}, "ENGINE_PREDICTOR: "),
    ],
)
def test_what_cannot_be_run_is_named(graph: dict[str, Any], changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        _lower(graph, **changes)
