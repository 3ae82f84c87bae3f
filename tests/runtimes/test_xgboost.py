from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from fairlead.errors import LoadError
from fairlead.plan.model import Method
from fairlead.protocols.message import Message
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable
from fairlead.runtimes.failures import CodeFailed
from support.models import SETOSA, iris, train_iris_xgboost
from support.units import asking, context, unit


def load(folder: Path) -> Servable:
    return registry.load(context(unit("xgboost"), folder))


def predict(folder: Path, value: Any = (SETOSA,)) -> Message:
    return load(folder).invoke(Method.PREDICT, asking(value))


@pytest.mark.parametrize("name", ["model.bst", "model.json", "model.ubj", "iris.bst"])
def test_a_booster_is_found_in_every_format(tmp_path: Path, name: str) -> None:
    answer = predict(train_iris_xgboost(tmp_path, name))

    assert answer.payload.value.argmax() == 0
    assert answer.payload.names == ["t:0", "t:1", "t:2"]


def test_a_softmax_model_answers_classes_as_floats_without_names(tmp_path: Path) -> None:
    answer = predict(train_iris_xgboost(tmp_path, objective="multi:softmax"), iris()[0][-1:])

    assert answer.payload.value.tolist() == [2.0]
    assert answer.payload.value.dtype.kind == "f"
    assert answer.payload.names == []


def trained(**settings: Any) -> xgboost.Booster:
    features, labels = iris()
    data = xgboost.DMatrix(features, label=settings.pop("labels", labels))
    return xgboost.train({"nthread": 1, "seed": 0, **settings}, data, num_boost_round=5)


BOOSTERS: dict[str, dict[str, Any]] = {
    "softprob": {"objective": "multi:softprob", "num_class": 3},
    "softmax": {"objective": "multi:softmax", "num_class": 3},
    "regression": {"objective": "reg:squarederror"},
    "logistic": {"objective": "binary:logistic", "labels": (iris()[1] > 0).astype(int)},
    "dart": {"objective": "reg:squarederror", "booster": "dart", "rate_drop": 0.5},
    "linear": {"objective": "reg:squarederror", "booster": "gblinear"},
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")  # gblinear is on its way out
@pytest.mark.parametrize("kind", BOOSTERS)
def test_answers_are_those_of_a_matrix_byte_for_byte(tmp_path: Path, kind: str) -> None:
    booster = trained(**BOOSTERS[kind])
    (tmp_path / "model.bst").write_bytes(bytes(booster.save_raw("ubj")))
    servable = load(tmp_path)
    rows = np.random.default_rng(0).normal(3, 3, size=(200, 4))
    gaps = rows.copy()
    gaps[::3, 1] = np.nan

    for given in (rows, gaps, rows.astype(np.float32), rows.astype(int), rows[:1], rows[:, :3]):
        answer = servable.invoke(Method.PREDICT, asking(given)).payload.value
        expected = booster.predict(xgboost.DMatrix(given))
        assert answer.dtype == expected.dtype
        assert answer.tobytes() == expected.tobytes()


def test_rows_give_what_single_requests_give(tmp_path: Path) -> None:
    servable = load(train_iris_xgboost(tmp_path))
    some = iris()[0][::10]

    assert servable.rows is not None
    alone = [servable.invoke(Method.PREDICT, asking([row])).payload.value[0] for row in some]

    assert servable.rows.predict(some).tolist() == np.array(alone).tolist()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([[1.0] * 5], "Number of columns"),
        ([1.0] * 4, "reshape"),
        ([[float("inf")] * 4], "Input data contains `inf`"),
    ],
)
def test_a_failure_is_answered_in_the_words_of_the_library(tmp_path: Path, value: Any, words: str) -> None:
    with pytest.raises(CodeFailed, match=words) as failed:
        predict(train_iris_xgboost(tmp_path), value)

    assert failed.value.http == 500
    assert "Stack trace" not in str(failed.value)


def test_the_file_beside_the_model_is_its_metadata(tmp_path: Path) -> None:
    train_iris_xgboost(tmp_path)
    (tmp_path / "metadata.yaml").write_text("name: xgb\n")

    assert load(tmp_path).metadata()["name"] == "xgb"


def failure(folder: Path) -> str:
    with pytest.raises(LoadError) as failed:
        load(folder)
    return str(failed.value)


def test_a_folder_without_model_lists_what_is_accepted(tmp_path: Path) -> None:
    assert "accepted: model.bst, model.json, model.ubj" in failure(tmp_path)


@pytest.mark.parametrize("name", ["model.bst", "model.json"])
@pytest.mark.parametrize("keep", [0.01, 0.3, 0.9])
def test_a_truncated_file_is_called_so(tmp_path: Path, name: str, keep: float) -> None:
    path = train_iris_xgboost(tmp_path, name) / name
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])

    message = failure(tmp_path)

    assert f"{name} cannot be loaded as an XGBoost model" in message
    assert f"XGBoost {xgboost.__version__} is installed" in message
    assert "Stack trace" not in message


def test_an_empty_file_does_not_take_the_process_down(tmp_path: Path) -> None:
    (tmp_path / "model.bst").touch()

    assert "it is an empty file" in failure(tmp_path)


def test_the_old_binary_format_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "model.bst").write_bytes(b"binf" + bytes(500))

    assert "the old binary format (before 1.6, removed in 3.1" in failure(tmp_path)
