import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import sklearn
import xgboost

from fairlead.runtimes.describing import Description, describe
from support.formats import save_lightgbm
from support.models import iris, iris_classifier, save_mlflow_sklearn, train_iris_sklearn, train_iris_xgboost

_ROWS_OF_FOUR = [{"name": "input-0", "datatype": "FP64", "shape": [-1, 4]}]


def test_scikit_learn_leaves_its_version_and_the_inputs_in_a_joblib_file(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path)

    assert describe(tmp_path) == Description(
        format="sklearn", versions={"scikit-learn": sklearn.__version__}, inputs=_ROWS_OF_FOUR
    )


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_every_protocol_are_read_and_not_run(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(iris_classifier(), protocol=protocol))

    found = describe(tmp_path / "model.pkl")

    assert (found.format, found.versions, list(found.inputs)) == (
        "sklearn", {"scikit-learn": sklearn.__version__}, _ROWS_OF_FOUR,
    )  # fmt: skip


def test_a_pickle_that_would_harm_is_only_searched(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "model.pkl").write_bytes(b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR.")

    assert describe(tmp_path) == Description(format="sklearn")
    assert not marker.exists()


def test_xgboosts_json_tells_version_and_width(tmp_path: Path) -> None:
    train_iris_xgboost(tmp_path, name="model.json")

    found = describe(tmp_path)

    assert (found.format, found.versions) == ("xgboost", {"xgboost": xgboost.__version__})
    assert list(found.inputs) == [{"name": "input-0", "datatype": "FP32", "shape": [-1, 4]}]


def test_lightgbm_and_xgboost_share_an_ending(tmp_path: Path) -> None:
    save_lightgbm(tmp_path, name="model.bst")

    assert describe(tmp_path) == Description(format="lightgbm", inputs=_ROWS_OF_FOUR)


def test_mlflow_names_library_and_signature(tmp_path: Path) -> None:
    rows, _ = iris()
    folder = save_mlflow_sklearn(tmp_path / "model", iris_classifier(), inputs=np.asarray(rows[:2]))

    found = describe(folder)

    assert found.format == "mlflow"
    assert found.versions["scikit-learn"] == sklearn.__version__
    assert [(spec["datatype"], spec["shape"]) for spec in found.inputs] == [("FP64", [-1, 4])]


@pytest.mark.parametrize(
    ("files", "format_"),
    [
        ({"model-settings.json": '{"name": "m", "implementation": "mlserver_xgboost.XGBoostModel"}'}, "xgboost"),
        ({"config.pbtxt": 'name: "m"', "1/model.onnx": "x"}, "triton"),
        ({"saved_model.pb": "x"}, "tensorflow"),
        ({"3/saved_model.pb": "x"}, "tensorflow"),
        ({"config.json": '{"model_type": "bert", "transformers_version": "4.56.0"}'}, "huggingface"),
        ({"model.yaml": "module: bentoml.torchscript\nname: m", "saved_model.pt": "x"}, "pytorch"),
        ({"model.onnx": "x"}, "onnx"),
        ({"model.cbm": "CBM1"}, "catboost"),
        ({"notes.txt": "of the model"}, ""),
        ({"config.json": "{"}, ""),
        ({"model.json": "[]"}, ""),
        ({"README.md": "x"}, ""),
    ],
)
def test_the_files_tell_the_format_and_what_makes_no_sense_is_passed_over(
    tmp_path: Path, files: dict[str, str], format_: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)

    assert describe(tmp_path).format == format_


def test_what_mlserver_was_told_of_inputs_is_kept(tmp_path: Path) -> None:
    inputs = [{"name": "rows", "datatype": "FP32", "shape": [-1, 3]}]
    settings = {"name": "m", "implementation": "mlserver_sklearn.SKLearnModel", "inputs": inputs}
    (tmp_path / "model-settings.json").write_text(json.dumps(settings))

    assert describe(tmp_path) == Description(format="sklearn", inputs=inputs)
