from pathlib import Path

import pytest

from fairlead.errors import LoadError, NotReady
from fairlead.plan.model import Method, Protocol
from fairlead.protocols.message import Asked
from fairlead.runtimes import registry
from fairlead.runtimes.base import ModelState, Servable
from support.models import SETOSA, iris_classifier, train_iris_sklearn
from support.units import asking, context, unit


def load(folder: Path, variant: str = "kserve") -> Servable:
    return registry.load(context(unit("sklearn", variant=variant), folder, protocol=Protocol.V1))


def test_each_folder_is_a_model_by_its_name(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path / "first")
    train_iris_sklearn(tmp_path / "second")
    servable = load(tmp_path)
    message = asking([SETOSA])
    message.asked = Asked(model="second")

    assert servable.repository is not None
    assert [model.name for model in servable.repository.models()] == ["first", "second"]
    assert (
        servable.invoke(Method.PREDICT, message).payload.value.tolist() == iris_classifier().predict([SETOSA]).tolist()
    )


def test_a_model_can_be_let_go_and_taken_in_again(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path / "only")
    repository = load(tmp_path).repository
    assert repository is not None

    repository.unload("only")
    assert repository.models()[0].state is ModelState.UNAVAILABLE
    with pytest.raises(NotReady):
        repository.model("only")
    repository.load("only")

    assert repository.models()[0].state is ModelState.READY


def test_a_folder_with_files_is_one_model(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path)
    train_iris_sklearn(tmp_path / "other")

    assert load(tmp_path).repository is None


def test_several_files_and_none_have_words_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"no model file: found an empty folder; accepted: a single \*\.joblib"):
        load(tmp_path)
    train_iris_sklearn(tmp_path, "a.joblib")
    train_iris_sklearn(tmp_path, "b.pkl")
    with pytest.raises(LoadError, match=r"More than one model file is detected.*\['a.joblib', 'b.pkl'\]"):
        load(tmp_path)


def test_servers_of_others_do_not_look_into_folders(tmp_path: Path) -> None:
    train_iris_sklearn(tmp_path / "first")

    with pytest.raises(LoadError, match="no model file"):
        load(tmp_path, variant="")
