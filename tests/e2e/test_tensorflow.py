"""TensorFlow models by Seldon's and KServe's manifests, asked in TensorFlow Serving's protocol and Seldon's."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.formats import needed, save_tensorflow
from support.inference_services import PATH, apply, ask, isvc, model
from support.instance import Installation, call
from support.manifests import sdep

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needed("tensorflow", "make setup")
    folder = tmp_path_factory.mktemp("saved") / "3"
    save_tensorflow(folder)
    return folder.parent


def server(saved: Path, **parameters: str) -> dict[str, Any]:
    given = [{"name": name, "value": value, "type": "STRING"} for name, value in parameters.items()]
    graph = {"name": "m", "implementation": "TENSORFLOW_SERVER", "modelUri": str(saved), "parameters": given}
    return {"name": "default", "graph": graph}


def test_a_deployment_speaks_tensorflow_servings_protocol(shared: Installation, saved: Path) -> None:
    shared.apply(sdep("tf", server(saved), protocol="tensorflow"))
    shared.wait_for("tf")
    base = f"{shared.url}/seldon/default/tf/v1/models/m"

    rows = call(f"{base}:predict", "POST", b'{"instances": [[1, 2]]}')
    upper = call(f"{base}/versions/3:predict", "POST", b'{"signature_name": "upper", "inputs": ["ab"]}')
    state = call(base)

    assert rows.json() == {"predictions": [{"double": [2.0, 4.0], "y": 4.0}]}
    assert upper.json() == {"outputs": {"length": [2], "upper": ["AB"]}}
    assert state.json()["model_version_status"][0]["version"] == "3"
    assert len(rows.headers["seldon-puid"]) == 36


def test_a_deployment_speaks_seldons_protocol_for_tensorflow(shared: Installation, saved: Path) -> None:
    shared.apply(sdep("tfproxy", server(saved, model_output="y")))
    shared.wait_for("tfproxy")

    array = shared.predict("tfproxy", {"data": {"ndarray": [[1.0, 2.0]]}})
    forwarded = shared.predict("tfproxy", {"jsonData": {"inputs": {"x": [[1.0, 2.0]]}}})

    assert array.json()["data"]["ndarray"] == [[4.0]]
    assert json.loads(forwarded.body)["jsonData"] == {"outputs": {"double": [[2.0, 4.0]], "y": [4.0]}}


def test_an_inference_service_speaks_tensorflow_servings_protocol(shared: Installation, saved: Path) -> None:
    apply(shared, [isvc("tensors", model("tensorflow", saved))])

    answer = ask(shared, "tensors", "/v1/models/tensors:predict", {"instances": [[1, 2]]})

    assert answer.json() == {"predictions": [{"double": [2.0, 4.0], "y": 4.0}]}
    shared.api(f"{PATH}/tensors", "DELETE")
