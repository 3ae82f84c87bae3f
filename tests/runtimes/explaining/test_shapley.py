"""Shapley values, held against what they are defined by: they add up to what the model answers."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from fairlead.errors import BadRequest, ClientGone, ConfigError, LoadError
from fairlead.plan.model import Method, Protocol, Unit, Upstream
from fairlead.protocols.message import Form, Message
from fairlead.runtimes import registry
from fairlead.runtimes.base import LoadContext, Servable
from support.formats import needed
from support.models import iris, iris_classifier
from support.predictors import predicting
from support.units import unit
from support.user_files import tensors, v1

needed("shap", "make setup")
pytestmark = pytest.mark.slow
ROW = [6.8, 2.8, 4.8, 1.4]


@pytest.fixture(scope="module")
def predictor() -> Iterator[str]:
    model = iris_classifier()
    with predicting(lambda rows: model.predict_proba(rows)) as address:
        yield address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows, _ = iris()
    names = "sepal length,sepal width,petal length,petal width"
    lines = [",".join(str(float(cell)) for cell in row) for row in rows[::5]]
    (tmp_path / "background.csv").write_text("\n".join([names, *lines]))
    return tmp_path


def opened(folder: Path | None, address: str, protocol: Protocol = Protocol.V1, **arguments: Any) -> Servable:
    of: Unit = unit("shap", name="iris", predictor_host=address, **arguments)
    return registry.load(LoadContext(unit=of, folder=folder, protocol=protocol))


def explained(servable: Servable, message: Message) -> Any:
    return servable.invoke(Method.EXPLAIN, message).payload.value


def test_the_values_of_any_model_add_up_to_its_answer(folder: Path, predictor: str) -> None:
    servable = opened(folder, predictor)
    try:
        (found,) = explained(servable, v1({"instances": [ROW]}))["explanations"]
    finally:
        servable.close()

    assert found["feature_names"] == ["sepal length", "sepal width", "petal length", "petal width"]
    assert found["data"] == ROW
    sums = np.sum(found["shap_values"], axis=1) + found["base_values"]
    np.testing.assert_allclose(sums, iris_classifier().predict_proba([ROW])[0], atol=1e-6)


def test_the_same_question_gets_the_same_answer(folder: Path, predictor: str) -> None:
    servable = opened(folder, predictor, nsamples="20", seed="7")
    try:
        first, again = (explained(servable, v1({"instances": [ROW, ROW]})) for _ in range(2))
    finally:
        servable.close()

    assert first == again


def test_tensors_are_explained_with_tensors_over_v2(folder: Path, predictor: str) -> None:
    of = unit("shap", name="iris")
    upstream = Upstream(host=predictor, protocol="v2")
    context = LoadContext(
        unit=Unit(name=of.name, runtime="shap", upstream=upstream), folder=folder, protocol=Protocol.V2
    )
    servable = registry.load(context)
    try:
        answer = servable.invoke(Method.EXPLAIN, tensors(x=[ROW, ROW]))
    finally:
        servable.close()

    assert answer.payload.form is Form.TENSORS
    shapes = {one.name: one.array.shape for one in answer.payload.value}
    assert shapes == {"shap_values": (2, 3, 4), "base_values": (2, 3)}


def test_tensors_are_explained_with_tensors_whatever_else_the_component_speaks(folder: Path, predictor: str) -> None:
    servable = opened(folder, predictor, Protocol.V1)
    answer = explained(servable, tensors(x=np.array([ROW])))
    servable.close()

    assert [one.name for one in answer] == ["shap_values", "base_values"]


def test_a_long_explanation_holds_up_nobody_and_changes_no_others_answer(folder: Path) -> None:
    model, held, released = iris_classifier(), threading.Event(), threading.Event()

    def slow(rows: Any) -> Any:
        if rows.max() > 100 and not released.is_set():
            held.set()
            released.wait(20)
        return model.predict_proba(rows)

    with predicting(slow) as address:
        servable: Any = opened(folder, address, nsamples="64")
        alone = explained(servable, v1({"instances": [ROW, ROW]}))
        long, quick = Answered(), Answered()
        servable.begin(Method.EXPLAIN, v1({"instances": [[500, 1, 2, 3]]}), long)
        assert held.wait(20)
        servable.begin(Method.EXPLAIN, v1({"instances": [ROW, ROW]}), quick)
        beside = quick.wait().payload.value
        released.set()
        long.wait()
        servable.close()

    assert beside == alone


def test_an_explanation_that_nobody_waits_for_asks_no_more(folder: Path) -> None:
    asked, going_on = threading.Event(), threading.Event()

    def slow(rows: Any) -> Any:
        asked.set()
        going_on.wait(20)
        return rows.sum(axis=1)

    with predicting(slow) as address:
        servable: Any = opened(folder, address)
        answered = Answered()
        call_off = servable.begin(Method.EXPLAIN, v1({"instances": [ROW] * 3}), answered)
        assert asked.wait(20)
        call_off()
        going_on.set()
        with pytest.raises(ClientGone):
            answered.wait()
        servable.close()


class Answered:
    """What becomes of a request that was begun."""

    def __init__(self) -> None:
        self._came: SimpleQueue[tuple[Message | None, Exception | None]] = SimpleQueue()

    def __call__(self, value: Message | None, error: Exception | None) -> None:
        self._came.put((value, error))

    def wait(self) -> Message:
        value, error = self._came.get(timeout=20)
        if error is not None:
            raise error
        assert value is not None
        return value


def test_a_model_of_trees_is_explained_from_its_file_without_asking_anybody(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib", reason="not run: joblib is not installed")
    ensemble = pytest.importorskip("sklearn.ensemble", reason="not run: scikit-learn is not installed")
    rows, labels = iris()
    model = ensemble.RandomForestClassifier(n_estimators=8, random_state=0).fit(rows, labels)
    joblib.dump(model, tmp_path / "model.joblib")
    servable = opened(tmp_path, "127.0.0.1:1")
    (found,) = explained(servable, v1({"instances": [ROW]}))["explanations"]
    servable.close()

    sums = np.sum(found["shap_values"], axis=1) + found["base_values"]
    np.testing.assert_allclose(sums, model.predict_proba([ROW])[0], atol=1e-6)


def test_names_of_classes_are_explained_as_one_output_each(folder: Path) -> None:
    with predicting(lambda rows: np.where(rows[:, 2] > 3, "large", "small")) as address:
        servable = opened(folder, address)
        (found,) = explained(servable, v1({"instances": [ROW]}))["explanations"]
        servable.close()

    assert len(found["shap_values"]) == len(found["base_values"]) == 2


def test_predictions_and_headers_go_on_to_the_model(folder: Path) -> None:
    seen: list[dict[str, str]] = []
    with predicting(lambda rows: rows.sum(axis=1), seen=seen) as address:
        servable = opened(folder, address)
        answer = servable.invoke(Method.PREDICT, v1({"instances": [[1, 2, 3, 4]]}, (b"x-request-id", b"7")))
        servable.close()

    assert answer.payload.value.tolist() == [10.0]
    assert seen[0]["X-Request-Id" if "X-Request-Id" in seen[0] else "x-request-id"] == "7"


@pytest.mark.parametrize("instances", [[[1, 2, 3]], [["a", "b", "c", "d"]]])
def test_rows_that_are_not_the_models_are_refused(folder: Path, predictor: str, instances: list[Any]) -> None:
    servable = opened(folder, predictor)
    with pytest.raises(BadRequest, match=r"model iris: (expected rows of 4 features|an explanation needs rows)"):
        servable.invoke(Method.EXPLAIN, v1({"instances": instances}))
    servable.close()


def test_without_anything_to_go_by_it_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(
        LoadError, match=r"background\.npy, .* or the file of a model of trees .* storageUri is not set"
    ):
        opened(None, "x:1")
    (tmp_path / "notes.md").write_text("nothing")
    with pytest.raises(LoadError, match=r"found notes\.md"):
        opened(tmp_path, "x:1", explainer="kernel")


def test_without_a_predictor_and_with_a_wrong_word_it_does_not_start(folder: Path) -> None:
    with pytest.raises(LoadError, match="predictor_host is not set"):
        registry.load(LoadContext(unit=unit("shap", name="iris"), folder=folder))
    with pytest.raises(ConfigError, match=r"explainer must be one of auto, kernel, tree, got 'lime'"):
        opened(folder, "x:1", explainer="lime")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("background.csv", "a,b\n1,x\n", "does not hold a table of numbers"),
        ("background.json", json.dumps([1, 2, 3]), r"shape \[3\]; expected \[rows, features\]"),
        ("background.npy", "not an array", "does not hold a table of numbers"),
    ],
)
def test_a_background_that_is_no_table_is_told(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)

    with pytest.raises(LoadError, match=words):
        opened(tmp_path, "x:1")
