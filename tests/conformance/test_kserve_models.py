"""Models as KServe's examples write them, run by every way there is: by the stand-in for the SDK's package, by the real
package in an environment of the model's own, and as a program with the SDK's server; and by `fairlead serve`. The SDK's
models ask their predictor by themselves, at the host that their flags name. Facts: kserve 0.21.0."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.ports import free_ports

from support.inference_services import PATH, ask, image, isvc, model, wait_for
from support.instance import FAIRLEAD, Installation, call, installation, until
from support.models import train_iris_sklearn
from support.package_index import package_index
from support.peers import environment

pytestmark = pytest.mark.slow

TRANSFORMER = '''
import argparse
from typing import Dict, Union

import kserve
import numpy as np
from kserve import InferInput, InferRequest, InferResponse, Model, ModelServer, logging, model_server
from kserve.utils.utils import generate_uuid


class Tenths(Model):
    """Rows come in tenths and go on over the predictor's protocol; classes leave by name, with what runs here."""

    def __init__(self, name: str):
        super().__init__(name)
        self.ready = True

    async def preprocess(self, payload: Union[Dict, InferRequest], headers: Dict[str, str] = None):
        rows = payload.inputs[0].as_numpy() if isinstance(payload, InferRequest) else payload["instances"]
        rows = np.array(rows, dtype=np.float32) / 10
        if self.predictor_config.protocol == "v1":
            return {"instances": rows.tolist()}
        tensor = InferInput("x", list(rows.shape), "FP32")
        tensor.set_data_from_numpy(rows, binary_data=False)
        return InferRequest(model_name=self.name, infer_inputs=[tensor], request_id=generate_uuid())

    def postprocess(self, result: Union[Dict, InferResponse], headers=None, response_headers=None):
        found = result.outputs[0].as_numpy() if isinstance(result, InferResponse) else result["predictions"]
        names = ["setosa versicolor virginica".split()[int(one)] for one in found]
        return {"predictions": names, "package": kserve.__file__}


parser = argparse.ArgumentParser(parents=[model_server.parser])
args, _ = parser.parse_known_args()

if __name__ == "__main__":
    if args.configure_logging:
        logging.configure_logging(args.log_config_file)
    ModelServer().start([Tenths(args.model_name)])
'''
PREDICTOR = """
import argparse
from typing import Dict

from kserve import Model, ModelServer, model_server


class Sums(Model):
    def __init__(self, name: str):
        super().__init__(name)
        self.name = name
        self.load()

    def load(self):
        self.factor = args.factor
        self.ready = True

    def preprocess(self, payload: Dict, headers: Dict[str, str] = None) -> Dict:
        return {"instances": [[value * self.factor for value in row] for row in payload["instances"]]}

    def predict(self, payload: Dict, headers: Dict[str, str] = None) -> Dict:
        return {"predictions": [sum(row) for row in payload["instances"]]}

    def postprocess(self, result: Dict, headers: Dict[str, str] = None, response_headers=None) -> Dict:
        return {"predictions": [int(one) for one in result["predictions"]]}


parser = argparse.ArgumentParser(parents=[model_server.parser])
parser.add_argument("--factor", type=int, default=2)
args, _ = parser.parse_known_args()

if __name__ == "__main__":
    ModelServer().start([Sums(args.model_name)])
"""
TENTHS = [[68, 28, 48, 14], [50, 34, 14, 2]]
PROTOCOLS = ("v1", "v2", "grpc-v2")
FLAGS = '"--http_port=8080", "--grpc_port=8081", "--workers=1"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_iris_sklearn(tmp_path_factory.mktemp("models") / "iris")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    root = tmp_path_factory.mktemp("kserve-models")
    for name, requirements in (("plain", ""), ("sdk", "kserve==0.21.0\n")):
        (root / name).mkdir()
        (root / name / "tenths.py").write_text(TRANSFORMER)
        (root / name / "sums.py").write_text(PREDICTOR)
        (root / name / "requirements.txt").write_text(requirements)
    python = environment("kserve")
    config = ""
    for file in ("tenths", "sums"):
        config += "".join(
            f'[images."{name}/{file}"]\nclass = "{file}"\npath = "{root / name}"\n' for name in ("plain", "sdk")
        )
        config += (
            f'[images."program/{file}"]\ncommand = ["{python}", "{file}.py", {FLAGS}]\npath = "{root / "plain"}"\n'
        )
    with installation(root / "home", config=config) as running:
        yield running


def served(running: Installation, folder: Path, package: str, protocols: tuple[str, ...]) -> None:
    """A service for each protocol with a transformer of this package, and one with a predictor of it."""
    annotations = {"fairlead.dev/environment": "build"} if package == "sdk" else {}
    args = ["--factor=3", f"--model_name={package}-sums"]
    own = isvc(f"{package}-sums", image(f"{package}/sums:1", args=args), annotations=annotations)
    documents = [own]
    for protocol in protocols:
        predictor = model("sklearn", folder, runtime="kserve-sklearnserver", protocolVersion=protocol[-2:])
        # As manifests for a cluster have it; here the image says what runs.
        transformer = image(f"{package}/tenths:1", args=["--predictor_protocol", protocol])
        documents.append(isvc(f"{package}-{protocol}", predictor, annotations=annotations, transformer=transformer))
    for document in documents:
        running.api(PATH, "POST", document)
    for document in documents:
        wait_for(running, document["metadata"]["name"])


def transformed(running: Installation, package: str, protocol: str) -> Any:
    name = f"{package}-{protocol}"
    answer = ask(running, name, f"/v1/models/{name}:predict", {"instances": TENTHS})
    assert answer.status == 200, answer
    return answer.json()


def predicted(running: Installation, package: str) -> Any:
    name = f"{package}-sums"
    return ask(running, name, f"/v1/models/{name}:predict", {"instances": [[1, 2], [3, 4]]}).json()


def test_the_stand_in_runs_models_and_asks_predictors_over_every_protocol(running: Installation, folder: Path) -> None:
    served(running, folder, "plain", PROTOCOLS)

    for protocol in PROTOCOLS:
        found = transformed(running, "plain", protocol)
        assert found["predictions"] == ["versicolor", "setosa"]
        assert "kserve_shim" in found["package"]
    assert predicted(running, "plain") == {"predictions": [9, 21]}


@pytest.mark.usefixtures(package_index.__name__)
def test_the_sdk_itself_runs_them_in_an_environment_of_its_own(running: Installation, folder: Path) -> None:
    served(running, folder, "sdk", PROTOCOLS)

    for protocol in PROTOCOLS:
        found = transformed(running, "sdk", protocol)
        assert found["predictions"] == ["versicolor", "setosa"]
        assert found["package"].startswith(str(running.home / "cache" / "environments"))
    assert predicted(running, "sdk") == {"predictions": [9, 21]}


def test_programs_with_the_sdks_server_run_as_they_are(running: Installation, folder: Path) -> None:
    """Each of them has a server at ports of its own, and finds its predictor at the gateway: here the hard way, with
    the name that gRPC resolves by itself."""
    served(running, folder, "program", ("grpc-v2",))

    assert transformed(running, "program", "grpc-v2")["predictions"] == ["versicolor", "setosa"]
    assert predicted(running, "program") == {"predictions": [9, 21]}


def test_one_file_is_served_by_itself(tmp_path: Path) -> None:
    (tmp_path / "sums.py").write_text(PREDICTOR)
    port, metrics = free_ports(2)
    ports = ["--http-port", str(port), "--metrics-port", str(metrics)]
    parameters = ["--parameters", json.dumps([{"name": "factor", "value": "3", "type": "INT"}])]
    argv = [str(FAIRLEAD), "serve", "sums", *ports, *parameters]
    url = f"http://127.0.0.1:{port}/v1/models/sums"

    with subprocess.Popen(argv, cwd=tmp_path, env={**os.environ}, stderr=subprocess.PIPE) as process:

        def answers() -> bool:
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            try:
                return call(url).status == 200
            except OSError:
                return False

        until(answers, what="an answer")
        body = json.dumps({"instances": [[1, 2], [3, 4]]}).encode()
        answer = call(f"{url}:predict", "POST", body, {"Content-Type": "application/json"})
        process.terminate()
        process.communicate(timeout=30)

    assert answer.json() == {"predictions": [9, 21]}
