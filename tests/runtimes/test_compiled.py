import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.plan.model import Method
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable
from fairlead.runtimes.compiled import ATOL, RTOL
from fairlead.runtimes.failures import BadParameter
from support.models import SETOSA, iris, iris_classifier, train_iris_sklearn, train_iris_xgboost
from support.units import asking, context, unit

pytestmark = pytest.mark.slow


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "fairlead.runtimes.compiled")
    return caplog


def serve(folder: Path, compile_to: str, **parameters: Any) -> Servable:
    return registry.load(context(unit("sklearn", compile=compile_to, **parameters), folder))


def answer(servable: Servable, rows: Any) -> Any:
    return servable.invoke(Method.PREDICT, asking(rows)).payload.value


def forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(10, random_state=0).fit(*iris())


def gradient() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=10, random_state=0).fit(*iris())


MODELS = {"linear": iris_classifier, "forest": forest, "gradient": gradient}


@pytest.mark.parametrize(
    ("kind", "compile_to", "what"),
    [
        ("linear", "onnx", "ONNX (float64)"),
        ("forest", "onnx", "ONNX (float32)"),
        ("forest", "treelite", "treelite (float32 rows)"),
        ("gradient", "treelite", "treelite"),
        ("forest", "auto", "ONNX (float32)"),
    ],
)
def test_a_copy_that_agrees_answers_with_the_models_numbers(
    tmp_path: Path, log: pytest.LogCaptureFixture, kind: str, compile_to: str, what: str
) -> None:
    model = MODELS[kind]()
    served = serve(train_iris_sklearn(tmp_path, model=model), compile_to)
    rows = iris()[0]
    given, wanted = answer(served, rows), model.predict_proba(rows)

    assert f"unit classifier: compiled to {what}: agrees on " in log.text
    assert " us, 32 rows " in log.text
    assert given.dtype == wanted.dtype
    np.testing.assert_allclose(given, wanted, rtol=RTOL, atol=ATOL)


def test_labels_keep_their_type(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    features, labels = iris()
    model = LogisticRegression(max_iter=1000).fit(features, np.array(["setosa", "versicolor", "virginica"])[labels])
    served = serve(train_iris_sklearn(tmp_path, model=model), "onnx", method="predict")

    assert answer(served, [SETOSA]).tolist() == ["setosa"]


def test_a_copy_that_rounds_its_thresholds_away_is_refused(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    """Behind a scaler the library computes in double width and compares in single: no copy does exactly that."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0)).fit(*iris())
    served = serve(train_iris_sklearn(tmp_path, model=model), "onnx")

    assert "unit classifier: not compiled, the model itself answers: onnx: ONNX (float" in log.text
    assert answer(served, iris()[0]).tolist() == model.predict_proba(iris()[0]).tolist()


def test_a_model_no_compiler_knows_answers_itself(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    served = serve(train_iris_sklearn(tmp_path), "treelite")

    assert "not compiled, the model itself answers: treelite: TreeliteError: Not supported" in log.text
    assert answer(served, [SETOSA]).argmax() == 0


@pytest.mark.parametrize("rows", [[[5.1, 3.5, 1.4]], [[float("nan"), 3.5, 1.4, 0.2]], [[1e300, 3.5, 1.4, 0.2]]])
def test_what_a_copy_was_not_compared_on_is_the_models_to_answer(tmp_path: Path, rows: Any) -> None:
    folder = train_iris_sklearn(tmp_path, model=forest())
    outcomes = []
    for compile_to in ("off", "onnx"):
        try:
            outcomes.append(str(answer(serve(folder, compile_to), rows).tolist()))
        except Exception as error:
            outcomes.append(f"{type(error).__name__}: {error}")

    assert outcomes[0] == outcomes[1]


def test_nothing_is_compiled_unless_it_is_asked_for(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    registry.load(context(unit("sklearn"), train_iris_sklearn(tmp_path)))

    assert log.text == ""


def test_a_word_that_names_no_compiler_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="compile is 'fast'; accepted: onnx, treelite, auto, off"):
        serve(train_iris_sklearn(tmp_path), "fast")


@pytest.mark.parametrize("objective", ["multi:softprob", "binary:logistic", "reg:squarederror"])
def test_a_booster_compiled_to_treelite_answers_the_same(
    tmp_path: Path, log: pytest.LogCaptureFixture, objective: str
) -> None:
    import xgboost

    features, labels = iris()
    settings = {"objective": objective, "nthread": 1, "seed": 0}
    settings |= {"num_class": 3} if objective.startswith("multi") else {}
    given = labels if objective.startswith("multi") else (labels > 0).astype(int)
    booster = xgboost.train(settings, xgboost.DMatrix(features, label=given), num_boost_round=5)
    (tmp_path / "model.ubj").write_bytes(bytes(booster.save_raw("ubj")))
    served = registry.load(context(unit("xgboost", compile="treelite"), tmp_path))

    assert "compiled to treelite: agrees on " in log.text
    np.testing.assert_allclose(
        answer(served, features), booster.predict(xgboost.DMatrix(features)), rtol=RTOL, atol=ATOL
    )


def test_a_booster_that_answers_classes_stays_itself(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    folder = train_iris_xgboost(tmp_path, objective="multi:softmax")
    served = registry.load(context(unit("xgboost", compile="onnx"), folder))

    assert "not compiled, the model itself answers: onnx: " in log.text
    assert answer(served, iris()[0][-1:]).tolist() == [2.0]


def test_a_lightgbm_model_is_compiled_too(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    import lightgbm

    features, labels = iris()
    settings = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(features, labels), num_boost_round=5)
    booster.save_model(str(tmp_path / "model.txt"))
    served = registry.load(context(unit("lightgbm", compile="auto"), tmp_path))

    assert "compiled to treelite: agrees" in log.text or "is not faster" in log.text
    np.testing.assert_allclose(answer(served, features), booster.predict(features), rtol=RTOL, atol=ATOL)
