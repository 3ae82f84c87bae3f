from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest

from fairlead.errors import BadRequest, LoadError
from fairlead.plan.model import Method, Protocol
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable
from fairlead.runtimes.failures import BadParameter
from support.formats import catboost_model, save_catboost
from support.models import SETOSA, iris
from support.units import answered, asking, context, tensors_asking, unit


def load(folder: Path | None, protocol: Protocol = Protocol.SELDON, **parameters: Any) -> Servable:
    return registry.load(context(unit("catboost", **parameters), folder, protocol=protocol))


@pytest.mark.parametrize("name", ["model.cbm", "model.json", "iris.cbm"])
def test_a_classifier_answers_classes(tmp_path: Path, name: str) -> None:
    servable = load(save_catboost(tmp_path, name=name))

    assert servable.invoke(Method.PREDICT, asking([SETOSA])).payload.value.tolist() == [0]
    assert servable.platform == "catboost"


def test_the_method_chooses_probabilities(tmp_path: Path) -> None:
    answer = load(save_catboost(tmp_path), method="predict_proba").invoke(Method.PREDICT, asking([SETOSA]))

    np.testing.assert_allclose(answer.payload.value, catboost_model().predict_proba([SETOSA]))


def test_a_regressor_answers_values_and_has_no_probabilities(tmp_path: Path) -> None:
    save_catboost(tmp_path, kind="CatBoostRegressor")

    answer = load(tmp_path).invoke(Method.PREDICT, asking([SETOSA]))

    np.testing.assert_allclose(answer.payload.value, catboost_model("CatBoostRegressor").predict([SETOSA]))
    with pytest.raises(BadParameter, match="parameter method is 'predict_proba'; this model has predict, raw"):
        load(tmp_path, method="predict_proba")


def test_outputs_are_asked_for_by_name(tmp_path: Path) -> None:
    servable = load(save_catboost(tmp_path), Protocol.V2)

    answers = answered(servable.invoke(Method.PREDICT, tensors_asking({"x": [SETOSA]}, "predict_proba", "output-0")))

    assert answers["output-0"] == ("INT64", [1], [0])
    assert answers["predict_proba"][:2] == ("FP64", [1, 3])
    with pytest.raises(BadRequest, match="Unexpected inference output 'zzz' for model 'iris'"):
        servable.invoke(Method.PREDICT, tensors_asking({"x": [SETOSA]}, "zzz"))


def test_rows_give_what_single_requests_give(tmp_path: Path) -> None:
    servable = load(save_catboost(tmp_path), method="predict_proba")
    some = iris()[0][::10]

    assert servable.rows is not None
    alone = [servable.invoke(Method.PREDICT, asking([row])).payload.value[0] for row in some]
    np.testing.assert_allclose(servable.rows.predict(some), alone)


@pytest.mark.slow
def test_columns_of_words_are_sent_by_name(tmp_path: Path) -> None:
    import pandas

    table = pandas.DataFrame({"color": ["red", "green", "blue"] * 10, "size": range(30)})
    settings = {"iterations": 5, "thread_count": 1, "allow_writing_files": False, "verbose": False}
    model = catboost.CatBoostClassifier(cat_features=["color"], **settings).fit(table, ["a", "b", "b"] * 10)
    model.save_model(str(tmp_path / "model.cbm"))

    servable = load(tmp_path, Protocol.V2)
    request = tensors_asking({"size": [3, 4], "color": ["red", "blue"]})

    assert answered(servable.invoke(Method.PREDICT, request)) == {"output-0": ("BYTES", [2], [b"a", b"b"])}
    assert servable.rows is None


def test_a_wrong_width_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"expected shape \[-1, 4\], got \[1, 2\]"):
        load(save_catboost(tmp_path), Protocol.V1).invoke(Method.PREDICT, asking([[1.0, 2.0]]))


def test_words_where_numbers_belong_are_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="Cannot convert 'a' to float"):
        load(save_catboost(tmp_path), Protocol.V1).invoke(Method.PREDICT, asking([["a", "b", "c", "d"]]))


@pytest.mark.parametrize(
    ("name", "content"),
    [("model.cbm", b""), ("model.cbm", b"garbage"), ("model.cbm", b"CBM1garbage"), ("m.json", b"{}")],
)
def test_a_file_that_is_no_model_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(LoadError, match=rf"^unit classifier: {name} "):
        load(tmp_path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = save_catboost(tmp_path) / "model.cbm"
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(LoadError, match=r"model\.cbm cannot be loaded as a CatBoost model: .*truncated"):
        load(tmp_path)
