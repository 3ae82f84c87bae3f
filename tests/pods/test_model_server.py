"""From a server's command line and variables to the worker that takes its place."""

from pathlib import Path

import pytest

from fairlead.dataplane.spec import TcpSocket
from fairlead.errors import ConfigError, UnknownRuntime
from fairlead.plan.model import Protocol
from fairlead.pods.model_formats import format_in
from fairlead.pods.model_server import started


def _folder(tmp_path: Path, *names: str) -> str:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    return str(tmp_path)


def test_kserve_s_own_flags(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "model.bst")
    words = ("--format=xgboost", "--model_name=iris", f"--model_dir={folder}", "--http_port=8181", "--nthread=2")

    spec = started(words, {"FAIRLEAD_POD_HOST": "0.0.0.0"}).spec

    unit = spec.revision.units[0]
    assert (unit.name, unit.runtime, unit.variant) == ("iris", "xgboost", "kserve")
    assert [(one.name, one.value) for one in unit.parameters] == [("nthread", 2)]
    assert (spec.http, spec.grpc) == (TcpSocket("0.0.0.0", 8181), TcpSocket("0.0.0.0", 8081))
    assert spec.placements[0].folder == folder
    assert (spec.revision.protocol, spec.revision.also) == (Protocol.V1, (Protocol.V2,))


def test_it_listens_on_loopback_unless_it_is_told(tmp_path: Path) -> None:
    spec = started(("--format", "sklearn", "--model_dir", _folder(tmp_path, "model.pkl")), {}).spec

    assert (spec.http, spec.revision.units[0].name) == (TcpSocket("127.0.0.1", 8080), "model")


def test_mlserver_s_variables_alone(tmp_path: Path) -> None:
    env = {
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel",
        "MLSERVER_MODEL_NAME": "classifier",
        "MLSERVER_MODEL_URI": _folder(tmp_path, "model.joblib"),
        "MLSERVER_HTTP_PORT": "9000",
        "MLSERVER_GRPC_PORT": "9500",
        "MLSERVER_METRICS_PORT": "6000",
    }

    spec = started((), env).spec

    unit = spec.revision.units[0]
    assert (unit.name, unit.runtime, unit.variant) == ("classifier", "sklearn", "mlserver")
    assert [spec.http, spec.grpc, spec.metrics] == [TcpSocket("127.0.0.1", port) for port in (9000, 9500, 6000)]
    assert spec.placements[0].folder == str(tmp_path)


def test_tensorflow_serving_s_flags(tmp_path: Path) -> None:
    words = ("--model_name=half", "--port=9000", "--rest_api_port=8080", f"--model_base_path={tmp_path}")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"1")

    spec = started(("--format=tensorflow", *words), {}).spec

    assert (spec.http, spec.grpc) == (TcpSocket("127.0.0.1", 8080), TcpSocket("127.0.0.1", 9000))
    assert spec.placements[0].folder == str(tmp_path)
    assert spec.revision.protocol is Protocol.TENSORFLOW


def test_torchserve_looks_above_its_store(tmp_path: Path) -> None:
    words = ("torchserve", "--start", f"--model-store={tmp_path}/model-store", "--ts-config=x")

    spec = started(("--format=pytorch", f"--model_dir={tmp_path}/model-store", *words), {}).spec

    assert spec.placements[0].folder == str(tmp_path)


def test_a_predictive_server_is_told_its_framework(tmp_path: Path) -> None:
    words = ("--format=predictive", "--framework=lightgbm", f"--model_dir={_folder(tmp_path, 'model.txt')}")

    assert started(words, {}).spec.revision.units[0].runtime == "lightgbm"


def test_an_explainer_asks_the_predictor_that_its_flags_name() -> None:
    words = ("--format=shap", "--model_name", "iris", "--predictor_host", "iris-predictor.team", "--http_port", "8080")

    unit = started(words, {}).spec.revision.units[0]

    assert unit.upstream is not None
    assert (unit.upstream.host, unit.upstream.protocol, unit.upstream.is_inside) == ("iris-predictor.team", "v1", False)


def test_an_empty_place_for_models_makes_it_a_repository(tmp_path: Path) -> None:
    assert started(("--format=sklearn", f"--model_dir={tmp_path}"), {}).spec.revision.units[0].holds_models


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("model.joblib",), "sklearn"),
        (("model.bst",), "xgboost"),
        (("1/saved_model.pb",), "tensorflow"),
        (("model/config.pbtxt",), "triton"),
        (("MLmodel", "model.pkl"), "mlflow"),
        (("model.onnx", "readme.md"), "onnx"),
        (("model.onnx", "model.pkl"), ""),
        ((), ""),
    ],
)
def test_a_format_is_told_by_the_files(tmp_path: Path, names: tuple[str, ...], expected: str) -> None:
    assert format_in(Path(_folder(tmp_path, *names))) == expected


def test_a_model_that_nobody_can_tell_is_refused_with_the_formats(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no model whose format can be told; say --format: art, catboost"):
        started((f"--model_dir={tmp_path}",), {})


def test_an_unknown_format_is_refused_with_the_others() -> None:
    with pytest.raises(UnknownRuntime, match=r"--format 'pmml': there are art"):
        started(("--format=pmml",), {})


def test_a_port_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match=r"--http_port 'http': must be a port number"):
        started(("--format=shap", "--http_port=http"), {})
