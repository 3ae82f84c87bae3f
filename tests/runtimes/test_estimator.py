"""What scikit-learn's and XGBoost's models answer under the V1 and V2 protocols."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from fairlead.errors import BadRequest, LoadError
from fairlead.plan.model import Method, Protocol
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable, TensorSpec
from support.models import SETOSA, iris, iris_classifier, train_iris_sklearn, train_iris_xgboost
from support.units import answered, asking, context, tensors_asking, unit

MLSERVER = "mlserver"


def load(
    folder: Path,
    runtime: str = "sklearn",
    *,
    variant: str = "",
    protocol: Protocol = Protocol.V2,
    env: dict[str, str] | None = None,
    **parameters: Any,
) -> Servable:
    of = unit(runtime, variant=variant, **parameters)
    return registry.load(context(of, folder, protocol=protocol, env=env))


def infer(servable: Servable, arrays: dict[str, Any], *outputs: str) -> dict[str, tuple[str, list[int], Any]]:
    return answered(servable.invoke(Method.PREDICT, tensors_asking(arrays, *outputs)))


# --- scikit-learn -----------------------------------------------------------------------------------------------


def test_classes_are_the_default_under_v1_and_v2(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path)

    v1 = load(tmp_path, protocol=Protocol.V1).invoke(Method.PREDICT, asking([SETOSA]))

    assert v1.payload.value.tolist() == [0]
    assert infer(load(tmp_path), {"x": [SETOSA]}) == {"output-0": ("INT64", [1], [0])}


def test_mlserver_answers_a_column_called_predict(tmp_path: Path) -> None:
    servable = load(train_iris_sklearn(tmp_path), variant=MLSERVER)

    assert infer(servable, {"predict": [SETOSA, SETOSA]}) == {"predict": ("INT64", [2, 1], [[0], [0]])}
    assert servable.outputs == (TensorSpec(name="predict", datatype="INT64", shape=(-1, 1)),)
    assert servable.inputs == (TensorSpec(name="input-0", datatype="FP64", shape=(-1, 4)),)
    assert servable.platform == "sklearn"


@pytest.mark.parametrize(("variant", "name", "shape"), [(MLSERVER, "predict", (2, 1)), ("kserve", "output-0", (2,))])
def test_rows_are_joined_under_v2_too(tmp_path: Path, variant: str, name: str, shape: tuple[int, ...]) -> None:
    rows = load(train_iris_sklearn(tmp_path), variant=variant).rows

    assert rows is not None
    assert rows.output_name == name
    assert rows.predict(np.array([SETOSA, SETOSA])).shape == shape


@pytest.mark.parametrize("variant", [MLSERVER, "kserve", ""])
def test_outputs_are_methods_by_name(tmp_path: Path, variant: str) -> None:
    servable = load(train_iris_sklearn(tmp_path), variant=variant)

    answers = infer(servable, {"x": [SETOSA]}, "predict_proba", "predict")

    assert list(answers) == ["predict_proba", "predict"]
    np.testing.assert_allclose(answers["predict_proba"][2], iris_classifier().predict_proba([SETOSA]))


def test_a_transformer_transforms(tmp_path: Path) -> None:
    from sklearn.cluster import KMeans

    model = KMeans(2, random_state=0, n_init=1).fit(iris()[0])
    servable = load(train_iris_sklearn(tmp_path, model=model), variant=MLSERVER)

    answers = infer(servable, {"x": [SETOSA]}, "transform")

    np.testing.assert_allclose(answers["transform"][2], model.transform([SETOSA]))


def test_an_unknown_output_is_refused_in_each_servers_words(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path)

    with pytest.raises(BadRequest) as mlserver:
        infer(load(tmp_path, variant=MLSERVER), {"x": [SETOSA]}, "zzz")
    with pytest.raises(BadRequest) as kserve:
        infer(load(tmp_path, variant="kserve"), {"x": [SETOSA]}, "zzz")
    with pytest.raises(BadRequest) as lacking:
        infer(load(tmp_path, variant=MLSERVER), {"x": [SETOSA]}, "transform")

    assert str(mlserver.value) == (
        "SKLearnModel only supports 'predict', 'predict_proba' and 'transform' as outputs (zzz was received)"
    )
    assert str(kserve.value) == "Unexpected inference output 'zzz' for model 'iris'"
    assert "output 'transform': this model has no method of that name" in str(lacking.value)


def test_a_method_or_kserves_variable_chooses_probabilities(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path)

    by_parameter = infer(load(tmp_path, method="predict_proba"), {"x": [SETOSA]})
    by_variable = infer(load(tmp_path, env={"PREDICT_PROBA": "true"}), {"x": [SETOSA]})

    assert by_parameter == by_variable
    assert by_parameter["output-0"][:2] == ("FP64", [1, 3])


def test_labels_that_are_words_are_bytes(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    features, labels = iris()
    model = LogisticRegression(max_iter=1000).fit(features, np.array(["setosa", "versicolor", "virginica"])[labels])
    servable = load(train_iris_sklearn(tmp_path, model=model), variant=MLSERVER)

    assert infer(servable, {"x": [SETOSA]}) == {"predict": ("BYTES", [1, 1], [[b"setosa"]])}
    assert servable.outputs[0].datatype == "BYTES"


def frame_pipeline() -> Any:
    """A pipeline that picks its columns by name: a word and a number."""
    import pandas
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    table = pandas.DataFrame({"color": ["red", "green", "blue"] * 4, "size": [1.0, 2.0, 3.0] * 4})
    columns = make_column_transformer((OneHotEncoder(), ["color"]), ("passthrough", ["size"]))
    return make_pipeline(columns, LogisticRegression()).fit(table, [0, 1, 1] * 4)


def test_named_columns_reach_the_model_as_a_frame_in_its_order(tmp_path: Path) -> None:
    servable = load(train_iris_sklearn(tmp_path, model=frame_pipeline()), variant=MLSERVER)

    answers = infer(servable, {"unused": [0, 0], "size": [[1.0], [3.0]], "color": ["red", "blue"]})

    assert answers == {"predict": ("INT64", [2, 1], [[0], [1]])}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"color": ["red"], "weight": [1.0]}, "missing input 'size'; this model takes color, size"),
        ({"color": ["red", "red"], "size": [1.0]}, "are no columns of one table"),
        ({"color": [["red", "red"]], "size": [[1.0, 2.0]]}, "are no columns of one table"),
    ],
)
def test_columns_that_make_no_frame_are_refused(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    servable = load(train_iris_sklearn(tmp_path, model=frame_pipeline()))

    with pytest.raises(BadRequest, match=words):
        infer(servable, arrays)


@pytest.mark.parametrize("value", [[[1.0]], [1.0, 2.0, 3.0, 4.0]])
def test_a_wrong_shape_is_answered_with_the_right_one(tmp_path: Path, value: Any) -> None:
    servable = load(train_iris_sklearn(tmp_path))

    for request in (asking(value), tensors_asking({"input-0": value})):
        with pytest.raises(BadRequest, match=r"^input 'input-0': expected shape \[-1, 4\], got "):
            servable.invoke(Method.PREDICT, request)


def test_values_the_model_refuses_are_the_callers_mistake_in_its_own_words(tmp_path: Path) -> None:
    servable = load(train_iris_sklearn(tmp_path), protocol=Protocol.V1)

    with pytest.raises(BadRequest, match="contains NaN"):
        servable.invoke(Method.PREDICT, asking([[float("nan")] * 4]))


# --- model-settings.json ----------------------------------------------------------------------------------------


def settings(folder: Path, **said: Any) -> None:
    (folder / "model-settings.json").write_text(json.dumps(said))


def test_settings_name_the_file_the_model_and_its_version(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path, "a.joblib")
    train_iris_sklearn(tmp_path, "b.joblib")
    settings(
        tmp_path,
        name="flowers",
        implementation="mlserver_sklearn.SKLearnModel",
        parameters={"uri": "./b.joblib", "version": "v0.1.0", "extra": {"predict_fn": "predict_proba"}},
        inputs=[{"name": "petals", "datatype": "FP32", "shape": [-1, 4]}],
    )

    servable = load(tmp_path, variant=MLSERVER)

    assert servable.metadata()["name"] == "flowers"
    assert servable.metadata()["versions"] == ["v0.1.0"]
    assert getattr(servable, "version", None) == "v0.1.0"
    assert servable.inputs == (TensorSpec(name="petals", datatype="FP32", shape=(-1, 4)),)
    assert infer(servable, {"x": [SETOSA]})["predict"][:2] == ("FP64", [1, 3])


def test_settings_mean_nothing_to_other_servers(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path)
    (tmp_path / "model-settings.json").write_text("not JSON")

    assert load(tmp_path, variant="kserve").metadata()["name"] == "classifier"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not JSON", "model-settings.json is not JSON"),
        ("[]", "must hold an object like"),
        ('{"parameters": []}', "parameters must be an object"),
        ('{"name": 3}', "name must be a string, not 3"),
        ('{"parameters": {"uri": "../secret"}}', "is outside the model's folder"),
        ('{"parameters": {"uri": "gone.joblib"}}', "'gone.joblib' is not in the model's folder"),
        ('{"inputs": [{"name": "x"}]}', r"inputs\[0\] must have name, datatype and shape"),
        ('{"outputs": [{"name": "x", "datatype": "F", "shape": []}]}', "datatype must be one of BOOL"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(tmp_path: Path, text: str, words: str) -> None:
    train_iris_sklearn(tmp_path)
    (tmp_path / "model-settings.json").write_text(text)

    with pytest.raises(LoadError, match=words):
        load(tmp_path, variant=MLSERVER)


# --- XGBoost ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.bst", "model.json", "model.ubj", "flowers.json"])
def test_a_booster_answers_what_it_predicts(tmp_path: Path, name: str) -> None:
    train_iris_xgboost(tmp_path, name, objective="multi:softmax")
    settings(tmp_path, name="iris")

    assert infer(load(tmp_path, "xgboost"), {"x": [SETOSA]}) == {"output-0": ("FP32", [1], [0.0])}
    assert infer(load(tmp_path, "xgboost", variant=MLSERVER), {"x": [SETOSA]}) == {"predict": ("FP32", [1, 1], [[0.0]])}


def test_a_saved_classifier_answers_classes_where_mlserver_loads_one(tmp_path: Path) -> None:
    features, labels = iris()
    for name, target in (("two", labels > 0), ("three", labels)):
        (tmp_path / name).mkdir()
        model = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(features, target)
        model.save_model(tmp_path / name / "model.json")
        servable = load(tmp_path / name, "xgboost", variant=MLSERVER)

        answers = infer(servable, {"x": features[::25]}, "predict", "predict_proba")

        assert answers["predict"][2] == model.predict(features[::25]).reshape(-1, 1).tolist()
        np.testing.assert_allclose(answers["predict_proba"][2], model.predict_proba(features[::25]), rtol=1e-6)
        assert load(tmp_path / name, "xgboost").platform == "xgboost"


def test_a_booster_without_probabilities_says_so(tmp_path: Path) -> None:
    servable = load(train_iris_xgboost(tmp_path, objective="multi:softmax"), "xgboost", variant=MLSERVER)

    with pytest.raises(BadRequest, match="output 'predict_proba': this model has no method of that name"):
        infer(servable, {"x": [SETOSA]}, "predict_proba")
    with pytest.raises(BadRequest, match=r"^XGBoostModel only supports 'predict' and 'predict_proba' as outputs"):
        infer(servable, {"x": [SETOSA]}, "zzz")


def test_a_booster_with_named_columns_takes_one_input_each(tmp_path: Path) -> None:
    import pandas

    table = pandas.DataFrame({"narrow": [1.0, 2.0, 3.0, 4.0] * 5, "wide": [4.0, 3.0, 2.0, 1.0] * 5})
    settings = {"nthread": 1, "seed": 0, "min_child_weight": 0}
    booster = xgboost.train(settings, xgboost.DMatrix(table, label=table["wide"]), num_boost_round=5)
    booster.save_model(tmp_path / "model.json")
    expected = booster.predict(xgboost.DMatrix(table[:2])).tolist()
    servable = load(tmp_path, "xgboost")

    by_name = infer(servable, {"wide": [4.0, 3.0], "narrow": [1.0, 2.0]})
    by_place = infer(servable, {"x": [[1.0, 4.0], [2.0, 3.0]]})

    assert by_name == by_place == {"output-0": ("FP32", [2], expected)}


def test_a_request_without_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="takes one array"):
        infer(load(train_iris_sklearn(tmp_path, model=frame_pipeline())), {})


def test_an_only_column_may_go_by_its_name(tmp_path: Path) -> None:
    import pandas
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(pandas.DataFrame({"size": [1.0, 2.0]}), [2.0, 4.0])
    servable = load(train_iris_sklearn(tmp_path, model=model))

    (_, shape, values) = infer(servable, {"size": [3.0]})["output-0"]

    assert shape == [1]
    assert values == pytest.approx([6.0])


def test_words_where_numbers_belong_are_the_callers_mistake(tmp_path: Path) -> None:
    servable = load(train_iris_xgboost(tmp_path), "xgboost")

    with pytest.raises(BadRequest):
        infer(servable, {"x": [["a", "b", "c", "d"]]})
