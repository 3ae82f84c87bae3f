"""A unit whose models come and go, with real scikit-learn models."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.errors import LoadError, NotFound
from fairlead.plan.model import Method, Parameter, Protocol, Resources, Unit, UnitName
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensors import tensor
from fairlead.runtimes import registry
from fairlead.runtimes.base import LoadContext, ModelState
from fairlead.runtimes.repository import RepositoryUnit
from fairlead.runtimes.shelf import EVICT, Shelf
from fairlead.runtimes.shelf_list import Shelved, write_list
from support.models import iris, train_iris_sklearn, train_iris_xgboost

KIB = 1024


def opened(kept: Path, *, limit_bytes: int | None = None, evicts: bool = False) -> tuple[RepositoryUnit, Shelf]:
    unit = Unit(
        name=UnitName("kserve-container"),
        runtime="sklearn",
        variant="kserve",
        holds_models=True,
        parameters=(Parameter(name=EVICT, value=evicts, type="BOOL"),),
        resources=Resources(memory_limit_bytes=limit_bytes),
    )
    loaded = registry.load(LoadContext(unit=unit, folder=None, kept=kept, protocol=Protocol.V2))
    assert isinstance(loaded, RepositoryUnit)
    shelf = loaded.repository
    assert isinstance(shelf, Shelf)
    return loaded, shelf


def shelved(name: str, folder: Path, memory_bytes: int = 0, runtime: str = "sklearn") -> Shelved:
    return Shelved(name=name, runtime=runtime, folder=str(folder), memory_bytes=memory_bytes)


def ask(unit: RepositoryUnit, model: str) -> list[Any]:
    rows, _ = iris()
    message = Message(Payload(Form.TENSORS, [tensor("x", rows[:2])]), asked=Asked(model=model))
    answer: list[Any] = np.asarray(unit.invoke(Method.PREDICT, message).payload.value[0].array).ravel().tolist()
    return answer


def states(shelf: Shelf) -> dict[str, str]:
    return {model.name: model.state.value for model in shelf.models()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("iris")
    train_iris_sklearn(made)
    return made


def test_models_come_and_go_as_the_list_says(tmp_path: Path, folder: Path) -> None:
    unit, shelf = opened(tmp_path)
    assert shelf.look_again() == []
    write_list(tmp_path, [shelved("a", folder), shelved("b", folder)])

    assert {model.name: model.state for model in shelf.look_again()} == {"a": ModelState.READY, "b": ModelState.READY}
    assert ask(unit, "a") == [0, 0]
    write_list(tmp_path, [shelved("b", folder)])
    shelf.look_again()
    assert ask(unit, "b") == [0, 0]
    with pytest.raises(NotFound, match="Model with name a does not exist"):
        ask(unit, "a")


def test_a_model_of_another_format_is_served_by_what_its_list_says(tmp_path: Path, folder: Path) -> None:
    boosted = tmp_path / "boosted"
    boosted.mkdir()
    train_iris_xgboost(boosted, "model.bst")
    unit, shelf = opened(tmp_path / "kept")
    write_list(tmp_path / "kept", [shelved("trees", boosted, runtime="xgboost"), shelved("line", folder)])
    shelf.look_again()

    assert len(ask(unit, "trees")) == 6
    assert ask(unit, "line") == [0, 0]


def test_a_model_that_does_not_load_says_why_and_keeps_no_other_away(tmp_path: Path, folder: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.joblib").write_bytes(b"not a model")
    unit, shelf = opened(tmp_path / "kept")
    write_list(tmp_path / "kept", [shelved("bad", broken), shelved("good", folder)])

    found = {model.name: model for model in shelf.look_again()}

    assert found["bad"].state is ModelState.UNAVAILABLE
    assert "model.joblib" in found["bad"].reason
    assert ask(unit, "good") == [0, 0]


def test_what_a_client_unloads_stays_away_until_one_loads_it(tmp_path: Path, folder: Path) -> None:
    _, shelf = opened(tmp_path)
    write_list(tmp_path, [shelved("a", folder)])
    shelf.look_again()
    shelf.unload("a")

    shelf.look_again()
    assert states(shelf) == {"a": "UNAVAILABLE"}
    shelf.load("a")
    assert states(shelf) == {"a": "READY"}


def test_without_leave_to_evict_a_model_beyond_the_limit_is_refused(tmp_path: Path, folder: Path) -> None:
    _, shelf = opened(tmp_path, limit_bytes=3 * KIB)
    write_list(tmp_path, [shelved("a", folder, 2 * KIB), shelved("b", folder, 2 * KIB)])

    found = {model.name: model for model in shelf.look_again()}

    assert found["b"].reason == "model 'b' needs 2048 bytes of memory; the server may use 3072, of which 1024 are free"
    with pytest.raises(LoadError, match="2048 bytes"):
        shelf.load("b")


def test_the_model_nobody_asked_for_the_longest_makes_room_and_comes_back(tmp_path: Path, folder: Path) -> None:
    unit, shelf = opened(tmp_path, limit_bytes=2 * KIB, evicts=True)
    write_list(tmp_path, [shelved(name, folder, KIB) for name in ("a", "b", "c")])
    shelf.look_again()
    assert states(shelf) == dict.fromkeys("abc", "READY")
    ask(unit, "a")
    ask(unit, "c")

    assert sorted(shelf._loaded) == ["a", "c"]
    assert ask(unit, "b") == [0, 0]
    assert sorted(shelf._loaded) == ["b", "c"]


def test_a_list_that_is_the_same_is_not_written_again(tmp_path: Path, folder: Path) -> None:
    assert write_list(tmp_path, [shelved("a", folder)])
    assert not write_list(tmp_path, [shelved("a", folder)])
