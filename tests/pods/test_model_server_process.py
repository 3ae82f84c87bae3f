"""The model server as the process it is in a pod."""

import json
import shutil
from pathlib import Path

import pytest
from bench.ports import free_ports

from support.instance import call
from support.pods import container, post, until_ready

pytestmark = pytest.mark.slow

ROW = [5.1, 3.5, 1.4, 0.2]
TENSOR = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW}]}


def test_a_model_answers_v1_and_v2_on_both_ports(iris: Path, tmp_path: Path) -> None:
    http, grpc = free_ports(2)
    flags = ("--model_name=iris", f"--model_dir={iris}", f"--http_port={http}", f"--grpc_port={grpc}")

    with container(tmp_path, "model-server", "--format=sklearn", *flags) as one:
        until_ready(one, f"http://127.0.0.1:{http}/v2/health/ready")
        for port in (http, grpc):
            url = f"http://127.0.0.1:{port}"
            assert post(f"{url}/v1/models/iris:predict", {"instances": [ROW]}).json() == {"predictions": [0]}
            assert post(f"{url}/v2/models/iris/infer", TENSOR).json()["outputs"][0]["data"] == [0]
        assert call(f"http://127.0.0.1:{http}/metrics").status == 200
        assert one.stop() == 0


def test_a_model_that_does_not_load_ends_it_with_a_reason(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "model.joblib").write_bytes(b"")
    why = tmp_path / "termination-log"
    env = {"FAIRLEAD_TERMINATION_LOG": str(why)}
    flags = ("--format=sklearn", f"--model_dir={models}", *_ports())

    with container(tmp_path, "model-server", *flags, env=env) as one:
        assert one.process.wait(60) == 1

    assert "model.joblib cannot be loaded as" in why.read_text()
    assert why.read_text() in one.log


def test_models_come_and_go_as_the_puller_says(iris: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    ports = _ports()
    url = f"http://127.0.0.1:{ports[0].partition('=')[2]}"

    with container(tmp_path, "model-server", "--format=sklearn", f"--model_dir={models}", *ports) as one:
        until_ready(one, f"{url}/v2/health/ready")
        assert post(f"{url}/v1/models/first:predict", {"instances": [ROW]}).status == 404
        shutil.copytree(iris, models / "first")
        (models / "first" / "SUCCESS.0abc").touch()

        assert call(f"{url}/v2/repository/models/first/load", "POST", b"").status == 200
        assert post(f"{url}/v1/models/first:predict", {"instances": [ROW]}).json() == {"predictions": [0]}
        assert [found["name"] for found in json.loads(call(f"{url}/v2/repository/index", "POST", b"{}").body)] == [
            "first"
        ]

        shutil.rmtree(models / "first")
        assert call(f"{url}/v2/repository/models/first/unload", "POST", b"").status == 200
        assert post(f"{url}/v1/models/first:predict", {"instances": [ROW]}).status == 404


def _ports() -> tuple[str, str]:
    http, grpc = free_ports(2)
    return f"--http_port={http}", f"--grpc_port={grpc}"
