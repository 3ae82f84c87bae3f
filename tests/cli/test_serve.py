"""One class or one folder by itself, in the role of `seldon-core-microservice`."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bench.ports import free_ports

from fairlead.cli.app import run
from support.instance import FAIRLEAD, call, until

pytestmark = pytest.mark.slow

MULTIPLIER = """
class Multiplier:
    def __init__(self, factor=2):
        self.factor = factor

    def predict(self, X, names, meta=None):
        return X * self.factor
"""


@contextmanager
def serving(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """URLs of requests and of metrics."""
    port, metrics = free_ports(2)
    command = [str(FAIRLEAD), "serve", *arguments, "--http-port", str(port), "--metrics-port", str(metrics)]
    with subprocess.Popen(command, cwd=folder, env={**os.environ, **(env or {})}, stderr=subprocess.PIPE) as process:

        def answers() -> bool:
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            try:
                return call(f"http://127.0.0.1:{port}/health/ping").status == 200
            except OSError:
                return False

        until(answers, what="an answer")
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics}"
        process.terminate()
        process.communicate(timeout=30)

    assert process.returncode == 0


def predict(url: str, rows: list[list[float]]) -> Any:
    body = json.dumps({"data": {"ndarray": rows}}).encode()
    return call(f"{url}/predict", "POST", body, {"Content-Type": "application/json"}).json()["data"]["ndarray"]


def test_a_class_of_the_current_folder_answers_with_its_parameters(tmp_path: Path) -> None:
    (tmp_path / "Multiplier.py").write_text(MULTIPLIER)
    parameters = '[{"name":"factor","value":"3","type":"INT"}]'

    with serving(tmp_path, "Multiplier", "--parameters", parameters) as (url, metrics):
        assert predict(url, [[1, 2]]) == [[3, 6]]
        assert call(f"{metrics}/metrics").status == 200


def test_the_environment_of_an_image_names_class_and_parameters(tmp_path: Path) -> None:
    (tmp_path / "Multiplier.py").write_text(MULTIPLIER)
    env = {
        "MODEL_NAME": "Multiplier",
        "PREDICTIVE_UNIT_PARAMETERS": '[{"name":"factor","value":"5","type":"FLOAT"}]',
        "GUNICORN_WORKERS": "4",
    }

    with serving(tmp_path, env=env) as (url, _):
        assert predict(url, [[1]]) == [[5.0]]


def test_a_model_folder_is_served_by_its_format(tmp_path: Path, iris: Path) -> None:
    with serving(tmp_path, "--format", "sklearn", str(iris)) as (url, _):
        assert len(predict(url, [[5.1, 3.5, 1.4, 0.2]])[0]) == 3


def refused(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([str(FAIRLEAD), "serve", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_the_old_api_type_argument_ends_as_it_did_upstream() -> None:
    code, said = refused("Multiplier", "REST")

    assert code == 255
    assert "Unknown args ['REST']. Note since 1.5.0 this CLI does not take API type (REST, GRPC)" in said


def test_a_parameter_that_does_not_read_as_its_type_is_told_in_upstreams_words() -> None:
    code, said = refused("Multiplier", "--parameters", '[{"name":"factor","value":"x","type":"INT"}]')

    assert code == 1
    assert "Bad model parameter: factor with value x can't be parsed as a INT" in said


def test_a_format_that_is_not_known_lists_those_that_are() -> None:
    code, said = refused("--format", "cobol", ".")

    assert code == 2
    assert "--format 'cobol': there are catboost, " in said
    assert ", tensorflow, triton, xgboost" in said


def test_a_port_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "Anything", "--http-port", "99999"]) == 2
    assert capsys.readouterr().err == "fairlead: --http-port 99999: must be a port number, 0 to 65535\n"


def test_a_folder_without_a_model_is_one_message_and_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(FAIRLEAD), "serve", "--format", "sklearn", str(tmp_path), "--http-port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "model.joblib" in done.stderr
    assert "Traceback" not in done.stderr
