import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.dataplane.spec import Placement
from fairlead.errors import BadRequest, LoadError
from fairlead.plan.model import Method, Protocol
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable, TensorSpec
from fairlead.runtimes.failures import BadParameter, CodeFailed
from support.formats import lightgbm_booster, save_lightgbm
from support.models import SETOSA, iris
from support.units import answered, asking, context, tensors_asking, unit
from support.workers import running_worker


def load(folder: Path | None, protocol: Protocol = Protocol.SELDON, variant: str = "", **parameters: Any) -> Servable:
    return registry.load(context(unit("lightgbm", variant=variant, **parameters), folder, protocol=protocol))


@pytest.mark.parametrize("name", ["model.txt", "model.bst", "iris.bst", "booster.txt"])
def test_a_booster_answers_what_its_library_answers(tmp_path: Path, name: str) -> None:
    save_lightgbm(tmp_path, name=name)
    (tmp_path / "requirements.txt").write_text("lightgbm\n")

    answer = load(tmp_path).invoke(Method.PREDICT, asking([SETOSA]))

    assert answer.payload.value.tolist() == lightgbm_booster().predict([SETOSA]).tolist()
    assert answer.payload.names == ["t:0", "t:1", "t:2"]


def test_rows_give_what_single_requests_give(tmp_path: Path) -> None:
    servable = load(save_lightgbm(tmp_path))
    some = iris()[0][::10]

    assert servable.rows is not None
    alone = [servable.invoke(Method.PREDICT, asking([row])).payload.value[0] for row in some]
    assert servable.rows.predict(some).tolist() == np.array(alone).tolist()


def test_mlserver_answers_a_column_called_predict_and_kserve_a_list(tmp_path: Path) -> None:
    save_lightgbm(tmp_path, objective="regression")
    value = lightgbm_booster("regression").predict([SETOSA]).tolist()
    request = tensors_asking({"x": [SETOSA]})

    mlserver = load(tmp_path, Protocol.V2, "mlserver")
    kserve = load(tmp_path, Protocol.V2, "kserve")

    assert answered(mlserver.invoke(Method.PREDICT, request)) == {"predict": ("FP64", [1, 1], [value])}
    assert answered(kserve.invoke(Method.PREDICT, request)) == {"output-0": ("FP64", [1], value)}
    assert mlserver.outputs == (TensorSpec(name="predict", datatype="FP64", shape=(-1, 1)),)
    assert kserve.outputs == (TensorSpec(name="output-0", datatype="FP64", shape=(-1,)),)
    assert mlserver.platform == "lightgbm"


def test_other_outputs_are_refused_in_mlservers_words(tmp_path: Path) -> None:
    servable = load(save_lightgbm(tmp_path), Protocol.V2, "mlserver")

    with pytest.raises(BadRequest, match=r"^LightGBMModel only supports 'predict' as output \(zzz was received\)$"):
        servable.invoke(Method.PREDICT, tensors_asking({"x": [SETOSA]}, "zzz"))


@pytest.mark.parametrize("protocol", [Protocol.V1, Protocol.V2])
def test_a_wrong_width_is_the_callers_mistake(tmp_path: Path, protocol: Protocol) -> None:
    servable = load(save_lightgbm(tmp_path), protocol)

    for request in (asking([[1.0, 2.0]]), tensors_asking({"input-0": [[1.0, 2.0]]})):
        with pytest.raises(BadRequest, match=r"^input 'input-0': expected shape \[-1, 4\], got \[1, 2\]$"):
            servable.invoke(Method.PREDICT, request)


def test_a_seldon_client_gets_the_librarys_words(tmp_path: Path) -> None:
    with pytest.raises(CodeFailed, match="number of features"):
        load(save_lightgbm(tmp_path)).invoke(Method.PREDICT, asking([[1.0, 2.0]]))


@pytest.mark.parametrize("given", [0, "many"])
def test_a_number_of_threads_must_be_one(tmp_path: Path, given: Any) -> None:
    with pytest.raises(BadParameter, match=r"parameter nthread is .*; expected a number from 1"):
        load(save_lightgbm(tmp_path), nthread=given)


@pytest.mark.parametrize("keep", [0.05, 0.3, 0.6])
def test_a_truncated_file_is_refused_and_does_not_end_the_process(tmp_path: Path, keep: float) -> None:
    path = save_lightgbm(tmp_path) / "model.txt"
    content = path.read_text()
    path.write_text(content[: int(len(content) * keep)])

    with pytest.raises(LoadError, match=r"model\.txt cannot be loaded as a LightGBM model saved as text: .*truncated"):
        load(tmp_path)


def test_a_damaged_tree_is_refused_and_does_not_end_the_process(tmp_path: Path) -> None:
    path = save_lightgbm(tmp_path) / "model.txt"
    path.write_text(path.read_text().replace("num_leaves=", "num_lxxves=", 1))

    with pytest.raises(LoadError, match="num_leaves"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe\x00"])
def test_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.bst").write_bytes(content)

    with pytest.raises(LoadError, match=r"^unit classifier: model\.bst cannot be loaded as a LightGBM model"):
        load(tmp_path)


@pytest.mark.slow
def test_a_worker_answers_seldon_requests_with_a_booster(tmp_path: Path) -> None:
    placement = Placement(unit="classifier", folder=str(save_lightgbm(tmp_path)))
    body = json.dumps({"data": {"ndarray": [SETOSA]}}).encode()

    with running_worker(unit("lightgbm"), placement=placement) as worker:
        answer = worker.request("POST", "/api/v1.0/predictions", body, {"Content-Type": "application/json"})

    assert answer.status == 200
    assert json.loads(answer.body)["data"]["ndarray"] == lightgbm_booster().predict([SETOSA]).tolist()
