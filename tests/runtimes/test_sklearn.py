import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from fairlead.errors import LoadError
from fairlead.plan.model import Method
from fairlead.protocols.message import Form, Message
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable
from fairlead.runtimes.failures import BadData
from support.models import SETOSA, iris, iris_classifier, train_iris_sklearn
from support.units import asking, context, unit


def load(folder: Path | None, **parameters: Any) -> Servable:
    return registry.load(context(unit("sklearn", image="seldonio/sklearnserver:1.18.2", **parameters), folder))


def predict(folder: Path, value: Any = (SETOSA,), **parameters: str) -> Message:
    return load(folder, **parameters).invoke(Method.PREDICT, asking(value))


@pytest.mark.parametrize("name", ["model.joblib", "model.pickle", "model.pkl", "classifier.joblib", "iris-v3.pkl"])
def test_a_model_is_found_by_its_usual_names_or_as_the_only_one(tmp_path: Path, name: str) -> None:
    answer = predict(train_iris_sklearn(tmp_path, name))

    assert answer.payload.value.argmax() == 0


def test_joblib_goes_before_pickle(tmp_path: Path) -> None:
    from sklearn.dummy import DummyClassifier

    train_iris_sklearn(tmp_path, "model.pkl", DummyClassifier(strategy="constant", constant=2).fit(*iris()))
    train_iris_sklearn(tmp_path)

    assert predict(tmp_path, method="predict").payload.value.tolist() == [0]


def test_probabilities_are_the_default(tmp_path: Path) -> None:
    answer = predict(train_iris_sklearn(tmp_path))

    assert answer.payload.form is Form.NDARRAY
    assert answer.payload.names == ["t:0", "t:1", "t:2"]
    assert answer.payload.value.tolist() == iris_classifier().predict_proba([SETOSA]).tolist()
    assert answer.meta.request_path == {"classifier": "seldonio/sklearnserver:1.18.2"}


@pytest.mark.parametrize("method", ["predict", "classify"])
def test_predict_answers_labels_without_names_and_is_what_any_other_word_means(tmp_path: Path, method: str) -> None:
    answer = predict(train_iris_sklearn(tmp_path), method=method)

    assert answer.payload.value.tolist() == [0]
    assert answer.payload.names == []


def test_the_decision_function_can_answer(tmp_path: Path) -> None:
    answer = predict(train_iris_sklearn(tmp_path), method="decision_function")

    assert answer.payload.value.tolist() == iris_classifier().decision_function([SETOSA]).tolist()


def test_rows_give_what_single_requests_give(tmp_path: Path) -> None:
    servable = load(train_iris_sklearn(tmp_path))
    some = iris()[0][::10]

    assert servable.rows is not None
    together = servable.rows.predict(some)
    alone = [servable.invoke(Method.PREDICT, asking([row])).payload.value[0] for row in some]

    np.testing.assert_allclose(together, alone, rtol=1e-12)


@pytest.mark.parametrize("value", [[[1.0]], [[float("nan")] * 4], [["a", "b", "c", "d"]], [1.0, 2.0, 3.0, 4.0]])
def test_a_failure_is_answered_with_the_text_of_tutorials_and_explained_in_the_log(
    tmp_path: Path, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BadData) as refused:
        predict(train_iris_sklearn(tmp_path), value)

    assert str(refused.value) == "Unknown data type returned as payload (must be list or np array):None"
    assert refused.value.http == 400
    assert "ValueError" in caplog.text


def test_a_model_without_the_chosen_method_is_announced_and_fails_each_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from sklearn.linear_model import LinearRegression

    servable = load(train_iris_sklearn(tmp_path, model=LinearRegression().fit(*iris())))

    assert "LinearRegression has no predict_proba" in caplog.text
    assert "one of: predict" in caplog.text
    with pytest.raises(BadData, match="None"):
        servable.invoke(Method.PREDICT, asking([SETOSA]))
    assert servable.rows is None


def test_the_file_beside_the_model_is_its_metadata(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path)
    (tmp_path / "metadata.yaml").write_text("name: iris\nversions: [iris/v1]\nplatform: sklearn\n")

    assert load(tmp_path).metadata() == {
        "name": "iris",
        "versions": ["iris/v1"],
        "platform": "sklearn",
        "inputs": [],
        "outputs": [],
        "custom": {},
    }


# --- what cannot be loaded --------------------------------------------------------------------------------------


def failure(folder: Path | None) -> str:
    with pytest.raises(LoadError) as failed:
        load(folder)
    return str(failed.value)


def test_a_unit_without_artifact_is_told_what_it_needs() -> None:
    assert "modelUri is not set; its folder should hold model.joblib, model.pickle, model.pkl" in failure(None)


def test_a_folder_without_model_lists_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    (tmp_path / "sub").mkdir()

    assert failure(tmp_path) == (
        "unit classifier: no model file: found model.onnx, sub/; accepted: model.joblib, model.pickle, model.pkl, "
        "or a single *.joblib or *.pickle or *.pkl"
    )


def test_an_empty_folder_is_called_empty(tmp_path: Path) -> None:
    assert "found an empty folder" in failure(tmp_path)


def test_several_candidates_are_not_guessed_between(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path, "a.pkl")
    train_iris_sklearn(tmp_path, "b.pkl")

    assert "several files could be the model: found a.pkl, b.pkl" in failure(tmp_path)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_file_is_called_so(tmp_path: Path, keep: float) -> None:
    path = train_iris_sklearn(tmp_path) / "model.joblib"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])

    message = failure(tmp_path)

    assert message.startswith("unit classifier: model.joblib cannot be loaded as a joblib or pickle file: ")
    assert "corrupt, truncated or another format?" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html><html></html>", "an HTML or XML page"),
        (b"no pickle at all", "corrupt, truncated or another format?"),
    ],
)
def test_a_file_that_is_something_else_is_recognised(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "model.joblib").write_bytes(content)

    assert words in failure(tmp_path)


def test_a_pickle_of_something_else_is_no_model(tmp_path: Path) -> None:
    joblib.dump({"weights": [1, 2]}, tmp_path / "model.joblib")

    assert failure(tmp_path) == "unit classifier: model.joblib holds a dict, not a model with predict()"


def test_a_module_the_model_needs_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"cfancy_features.encoders\nEncoder\n.")

    assert "model.pkl needs the module fancy_features, which is not installed" in failure(tmp_path)


# --- versions ---------------------------------------------------------------------------------------------------


class _AnotherVersion:
    """Pickles an estimator as if another scikit-learn had made it."""

    def __init__(self, version: str) -> None:
        self.version = version.encode()

    def dumps(self, model: Any) -> bytes:
        from sklearn import __version__

        installed = __version__.encode()
        content = pickle.dumps(model, protocol=4)
        assert len(installed) == len(self.version)
        assert b"_sklearn_version" in content
        return content.replace(installed, self.version)


def test_another_version_is_one_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from sklearn import __version__

    other = "0" + __version__[1:]
    (tmp_path / "model.pkl").write_bytes(_AnotherVersion(other).dumps(iris_classifier()))

    load(tmp_path)

    assert [record.getMessage() for record in caplog.records] == [
        f"unit classifier: model.pkl was saved with scikit-learn {other} and {__version__} is installed; "
        "answers may differ"
    ]


@pytest.mark.parametrize("compress", [0, ("gzip", 3), ("zlib", 3), ("bz2", 3), ("xz", 3)])
def test_a_model_that_another_version_is_needed_for_says_which(tmp_path: Path, compress: Any) -> None:
    from sklearn import __version__

    broken = _Moved({**iris_classifier().__dict__, "_sklearn_version": "0.24.2"})
    joblib.dump(broken, tmp_path / "model.joblib", compress=compress)

    message = failure(tmp_path)

    assert f"model.joblib was saved with scikit-learn 0.24.2 and {__version__} cannot read it" in message
    assert "install scikit-learn==0.24.2 or save the model again" in message


def _gone(state: dict[str, Any]) -> None:
    raise AttributeError("Can't get attribute 'ThatMoved' on module 'sklearn.tree'")


class _Moved:
    """Stands for an estimator whose class moved between versions: it cannot be unpickled."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def __reduce__(self) -> tuple[Any, ...]:
        return (_gone, (self.state,))
