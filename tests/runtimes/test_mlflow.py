from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.errors import LoadError
from fairlead.plan.model import Method
from fairlead.protocols.message import Message
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable
from fairlead.runtimes.failures import CodeFailed
from support.models import SETOSA, iris, iris_classifier, save_mlflow
from support.units import asking, context, unit

# MLflow and scikit-learn warn about type hints and feature names; neither is ours to fix.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")]


def load(folder: Path | None, **parameters: Any) -> Servable:
    return registry.load(context(unit("mlflow", **parameters), folder))


def predict(folder: Path, names: list[str] | None = None, value: Any = (SETOSA,), **parameters: str) -> Message:
    return load(folder, **parameters).invoke(Method.PREDICT, asking(value, names=names))


def test_a_scikit_learn_model_answers_labels(tmp_path: Path) -> None:
    answer = predict(save_mlflow(tmp_path / "m", "sklearn"))

    assert answer.payload.value.tolist() == [0]
    assert answer.payload.names == []


@pytest.mark.parametrize("flavour", ["xgboost", "lightgbm"])
def test_a_booster_answers_probabilities(tmp_path: Path, flavour: str) -> None:
    answer = predict(save_mlflow(tmp_path / "m", flavour))

    assert answer.payload.value.argmax() == 0
    assert answer.payload.names == ["t:0", "t:1", "t:2"]


@pytest.mark.parametrize("xtype", ["ndarray", "DataFrame"])
def test_a_data_frame_becomes_an_array_with_its_columns_as_names(tmp_path: Path, xtype: str) -> None:
    answer = predict(save_mlflow(tmp_path / "m", "pyfunc"), xtype=xtype)

    np.testing.assert_allclose(answer.payload.value, [[10.2, 5.1]])
    assert answer.payload.names == ["total", "widest"]


def test_a_model_of_named_columns_gets_them_from_the_names_of_the_request(tmp_path: Path) -> None:
    import mlflow.sklearn
    import pandas
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    features, labels = iris()
    frame = pandas.DataFrame(features, columns=["a", "b", "c", "d"])
    chosen = make_pipeline(
        ColumnTransformer([("used", "passthrough", ["d", "c"])]), LogisticRegression(max_iter=1000)
    ).fit(frame, labels)
    folder = tmp_path / "m"
    mlflow.sklearn.save_model(chosen, folder, serialization_format="cloudpickle", pip_requirements=["pandas"])

    assert predict(folder, ["a", "b", "c", "d"], xtype="dataframe").payload.value.tolist() == [0]
    with pytest.raises(CodeFailed):
        predict(folder, ["a", "b", "c", "d"])


@pytest.mark.parametrize("flavour", ["sklearn", "xgboost", "lightgbm"])
def test_known_flavours_answer_rows(tmp_path: Path, flavour: str) -> None:
    servable = load(save_mlflow(tmp_path / "m", flavour))
    some = iris()[0][::30]

    assert servable.rows is not None
    alone = [servable.invoke(Method.PREDICT, asking([row])).payload.value[0] for row in some]

    np.testing.assert_allclose(servable.rows.predict(some), alone, rtol=1e-12)


@pytest.mark.parametrize(("flavour", "xtype"), [("pyfunc", "ndarray"), ("sklearn", "DataFrame")])
def test_others_do_not(tmp_path: Path, flavour: str, xtype: str) -> None:
    assert load(save_mlflow(tmp_path / "m", flavour), xtype=xtype).rows is None


def test_a_model_saved_with_a_signature_is_asked_one_request_at_a_time(tmp_path: Path) -> None:
    import mlflow.models
    import mlflow.sklearn

    features, labels = iris()
    folder = tmp_path / "m"
    mlflow.sklearn.save_model(
        iris_classifier(),
        folder,
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
        signature=mlflow.models.infer_signature(features, labels),
    )

    assert load(folder).rows is None
    assert predict(folder).payload.value.tolist() == [0]


def test_a_model_one_folder_down_is_found(tmp_path: Path) -> None:
    save_mlflow(tmp_path / "iris", "sklearn")

    assert predict(tmp_path).payload.value.tolist() == [0]


def test_requirements_that_differ_are_listed_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wanted = ["scikit-learn==0.24.2", "mlflow", "frobnicate>=1", "numpy", 'tomli; python_version < "3"']

    load(save_mlflow(tmp_path / "m", "sklearn", wanted))

    (record,) = [record for record in caplog.records if record.name == "fairlead.runtimes.mlflow"]
    message = record.getMessage()
    assert "scikit-learn==0.24.2 (installed: " in message
    assert "frobnicate>=1 (installed: not at all)" in message
    assert "numpy" not in message
    assert "tomli" not in message
    assert "mlflow (" not in message


def test_the_file_beside_the_model_is_its_metadata(tmp_path: Path) -> None:
    folder = save_mlflow(tmp_path / "m", "sklearn")
    (folder / "metadata.yaml").write_text("name: flow\n")

    assert load(folder).metadata()["name"] == "flow"


# --- what cannot be loaded --------------------------------------------------------------------------------------


def failure(folder: Path | None) -> str:
    with pytest.raises(LoadError) as failed:
        load(folder)
    return str(failed.value)


def test_a_unit_without_artifact_is_told_what_it_needs() -> None:
    assert "should hold an MLmodel file" in failure(None)


def test_a_folder_without_mlmodel_lists_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").touch()

    assert failure(tmp_path) == (
        "unit classifier: no MLmodel file: found model.pkl; accepted: a folder saved by MLflow"
    )


def test_an_mlmodel_that_is_not_yaml_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: [1")

    assert "MLmodel is not YAML" in failure(tmp_path)


@pytest.mark.parametrize(
    ("content", "found"), [("flavors: {spark: {}}", "found: spark"), ("just text", "found: none"), ("", "found: none")]
)
def test_a_model_without_python_function_lists_its_flavours(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "MLmodel").write_text(content)

    assert found in failure(tmp_path)


def test_a_library_the_model_needs_is_named_with_its_requirements(tmp_path: Path) -> None:
    folder = save_mlflow(tmp_path / "m", "sklearn", ["no-such-library==2.1"])
    described = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(described.replace("loader_module: mlflow.sklearn", "loader_module: mlflow_torch"))

    message = failure(folder)

    assert "needs the module mlflow_torch, which is not installed" in message
    assert message.endswith("no-such-library==2.1")


def test_requirements_of_an_old_model_are_read_from_its_conda_environment(tmp_path: Path) -> None:
    folder = save_mlflow(tmp_path / "m", "sklearn", ["no-such-library==2.1"])
    (folder / "requirements.txt").unlink()
    (folder / "model.pkl").write_bytes(b"broken")

    message = failure(folder)

    assert "MLflow cannot load the model" in message
    assert "installed libraries differ: no-such-library==2.1 (installed: not at all)" in message
