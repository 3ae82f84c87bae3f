"""An example request as wide as the model says is one that the model accepts, for every prepackaged format."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fairlead.dataplane.surfaces.docs import example_request
from fairlead.plan.model import Method
from fairlead.protocols.message import Message
from fairlead.protocols.seldon_v1 import decode
from fairlead.runtimes import registry
from fairlead.runtimes.base import Columns, Servable
from fairlead.runtimes.columns import columns_of
from support.models import made_up_rows, model_of, save_mlflow_sklearn, train_iris_sklearn
from support.units import context, unit

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")]


def try_it_out(servable: Servable) -> Message:
    return servable.invoke(Method.PREDICT, decode(example_request([], servable.columns)))


def _sklearn(folder: Path, width: int) -> str:
    train_iris_sklearn(folder, model=model_of(width))
    return "sklearn"


def _pipeline(folder: Path, width: int) -> str:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted = make_pipeline(StandardScaler(), model_of(width)).fit(*made_up_rows(width))
    train_iris_sklearn(folder, model=fitted)
    return "sklearn"


def _xgboost(folder: Path, width: int) -> str:
    import xgboost

    rows, labels = made_up_rows(width)
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(rows, label=labels), num_boost_round=2)
    folder.mkdir()
    (folder / "model.bst").write_bytes(bytes(booster.save_raw("ubj")))
    return "xgboost"


def _mlflow(folder: Path, width: int) -> str:
    save_mlflow_sklearn(folder, model_of(width))
    return "mlflow"


def _mlflow_with_signature(folder: Path, width: int) -> str:
    save_mlflow_sklearn(folder, model_of(width), inputs=made_up_rows(width)[0])
    return "mlflow"


Make = Callable[[Path, int], str]


@pytest.mark.parametrize("width", [2, 7])
@pytest.mark.parametrize("make", [_sklearn, _pipeline, _xgboost, _mlflow, _mlflow_with_signature])
def test_the_example_is_accepted_by_the_model(make: Make, width: int, tmp_path: Path) -> None:
    runtime = make(tmp_path / "m", width)

    servable = registry.load(context(unit(runtime), tmp_path / "m"))

    assert servable.columns == Columns(count=width)
    assert len(try_it_out(servable).payload.value) == 1


@pytest.mark.parametrize("kind", [float, int])
def test_a_signature_of_columns_gives_their_names_and_whether_they_are_whole(kind: type, tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame(made_up_rows(2)[0].astype(kind), columns=["a", "b"])
    save_mlflow_sklearn(tmp_path / "m", model_of(2), inputs=frame)

    servable = registry.load(context(unit("mlflow", xtype="DataFrame"), tmp_path / "m"))

    assert servable.columns == Columns(count=2, names=("a", "b"), whole=kind is int)
    assert len(try_it_out(servable).payload.value) == 1


def test_a_model_of_other_things_than_columns_says_nothing() -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    assert columns_of(CountVectorizer().fit(["a text"])) is None
