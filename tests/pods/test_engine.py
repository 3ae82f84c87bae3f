"""From the orchestrator's command line to its worker."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from fairlead.dataplane.spec import Checking, TcpSocket, Tls
from fairlead.errors import ConfigError
from fairlead.pods.engine import level_of, started
from support.pods import engine_predictor, node

GRAPH = {"name": "default", "graph": node("model", 9000, 9500)}
ARGUMENTS = (
    *("--sdep", "iris", "--namespace", "team", "--predictor", "default", "--http_port", "8000", "--grpc_port", "5001"),
    *("--protocol", "seldon", "--transport", "rest", "--prometheus_path", "/metrics-here", "--server_type", "rpc"),
    *("--log_work_buffer_size", "77", "--log_write_timeout_ms", "2000", "--full_health_checks=false"),
)


def _started(*words: str, env: dict[str, str] | None = None, predictor: dict[str, Any] | None = None) -> Any:
    environ = {**engine_predictor(predictor or GRAPH), **(env or {})}
    return started((*words, "--podinfo", "/nowhere"), environ)


def test_the_operator_s_arguments_are_the_worker_s() -> None:
    spec = _started(*ARGUMENTS, env={"FAIRLEAD_POD_HOST": "0.0.0.0", "HOSTNAME": "iris-pod"}).spec

    assert (spec.service, spec.namespace, spec.component, spec.replica) == ("iris", "team", "default", "iris-pod")
    assert (spec.http, spec.grpc) == (TcpSocket("0.0.0.0", 8000), TcpSocket("0.0.0.0", 5001))
    assert (spec.metrics_path, spec.checking, spec.tls) == ("/metrics-here", Checking.CONNECTS, None)
    assert dict(spec.revision.annotations)["seldon.io/executor-logger-queue-size"] == "77"
    assert spec.revision.drain_s == 15.0


def test_health_is_asked_for_when_it_is_wanted() -> None:
    assert _started("--full_health_checks").spec.checking is Checking.IS_HEALTHY


def test_a_certificate_is_found_where_it_is_mounted() -> None:
    assert _started(env={"SELDON_CERT_MOUNT_PATH": "/cert/"}).spec.tls == Tls(
        certificate="/cert/tls.crt", key="/cert/tls.key"
    )


def test_a_node_of_the_process_has_its_folder_and_its_doors() -> None:
    graph = node("model", 9000, 9500, implementation="SKLEARN_SERVER")
    env = {"PREDICTIVE_UNIT_METRICS_SERVICE_PORT": "6000"}

    spec = _started("--in-process", "model=/mnt/models", env=env, predictor={"graph": graph}).spec

    assert [(one.unit, one.folder) for one in spec.placements] == [("model", "/mnt/models")]
    assert [(one.unit, [where.port for where in one.listen]) for one in spec.own_doors] == [("model", [9000, 9500])]
    assert spec.metrics == TcpSocket("127.0.0.1", 6000)


def test_a_graph_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    document = {"kind": "SeldonDeployment", "spec": {"predictors": [{"name": "other", "graph": {}}, GRAPH]}}
    path.write_text(json.dumps(document))

    spec = started(("--file", str(path), "--predictor", "default"), {}).spec

    assert [unit.name for unit in spec.revision.units] == ["model"]


def test_flags_that_are_not_known_are_told() -> None:
    assert "--new_flag=1 is not known and changes nothing" in _started("--new_flag=1").warnings


@pytest.mark.parametrize(
    ("words", "env", "problem"),
    [
        (("--server_type", "kafka"), {}, "requests from Kafka topics are not served"),
        (("--in-process", "model"), {}, "expected NODE=FOLDER"),
        (("--http_port", "x"), {}, "--http_port 'x': must be a whole number"),
        (("--graceful_timeout", "soon"), {}, "expected a duration such as 15s"),
        (("--file", "/nowhere.yaml"), {}, "--file /nowhere.yaml: No such file"),
        ((), {"ENGINE_PREDICTOR": ""}, "ENGINE_PREDICTOR is not set"),
        ((), {"ENGINE_PREDICTOR": "{}"}, "is no JSON in base64"),
        ((), {"ENGINE_PREDICTOR": base64.b64encode(b"[]").decode()}, "is no object"),
    ],
)
def test_what_cannot_be_started_is_named(words: tuple[str, ...], env: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        _started(*words, env=env)


@pytest.mark.parametrize(
    ("words", "env", "level"),
    [
        ((), {}, "INFO"),
        (("--log_level", "warning"), {}, "WARNING"),
        (("--log_level", "warning"), {"SELDON_LOG_LEVEL": "ERROR"}, "ERROR"),
        ((), {"SELDON_DEBUG": "true"}, "DEBUG"),
    ],
)
def test_how_much_is_logged(words: tuple[str, ...], env: dict[str, str], level: str) -> None:
    assert level_of(words, env) == level
