"""What cannot run fails with a cause that a person can act on, and takes nothing else down."""

import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.instance import Installation, installation, until
from support.manifests import images, sdep, sklearn

pytestmark = pytest.mark.slow

ROW = {"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}

HUNGRY = """
class Hungry:
    def load(self):
        self.ballast = bytearray(2 * 1024 ** 3)

    def predict(self, X, names):
        return X
"""
BROKEN = """
class Broken:
    def __init__(self):
        raise RuntimeError("the licence file has expired")
"""
QUITTER = """
import os

class Quitter:
    def load(self):
        os._exit(3)
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("code")
    for name, text in (("Hungry", HUNGRY), ("Broken", BROKEN), ("Quitter", QUITTER)):
        (folder / f"{name}.py").write_text(text)
    config = "".join(
        f'[images."acme/{name.lower()}"]\nclass = "{name}"\npath = {json.dumps(str(folder))}\n'
        for name in ("Hungry", "Broken", "Quitter", "Missing")
    )
    with installation(folder / "home", config=config) as running:
        yield running


def why(running: Installation, name: str, predictor: dict[str, Any]) -> str:
    running.apply(sdep(name, predictor))
    running.wait_for(name, "Failed")
    description: str = running.status(name)["description"]
    return description


def of_image(image: str, **container: Any) -> dict[str, Any]:
    predictor = images("main", {"name": "m"}, {"m": image})
    predictor["componentSpecs"][0]["spec"]["containers"][0] |= container
    return predictor


def test_a_missing_model_names_the_path(code: Installation, tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in why(code, "missing", sklearn(tmp_path / "nowhere"))


def test_a_folder_without_a_model_lists_what_it_holds(code: Installation, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a model")

    description = why(code, "empty", sklearn(tmp_path))

    assert "classifier" in description
    assert "model.joblib" in description
    assert "notes.txt" in description


def test_a_corrupt_model_names_the_unit_and_the_file(code: Installation, tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(os.urandom(4096))

    description = why(code, "corrupt", sklearn(tmp_path))

    assert "classifier" in description
    assert "model.joblib" in description
    # The traceback is in the log once per attempt: the supervisor writes it, the worker does not repeat it.
    log = code.run("logs", "corrupt").stdout
    assert "Traceback" in log
    assert "ERROR fairlead.dataplane.worker" not in log


def test_a_pickle_of_something_else_says_what_it_is(code: Installation, tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(pickle.dumps({"weights": [1, 2, 3]}))

    description = why(code, "wrong", sklearn(tmp_path))

    assert "dict" in description


def test_an_exception_in_a_constructor_gives_its_last_line(code: Installation) -> None:
    assert "the licence file has expired" in why(code, "broken", of_image("acme/broken:1"))


def test_a_class_that_is_not_there_names_it(code: Installation) -> None:
    assert "Missing" in why(code, "absent", of_image("acme/missing:1"))


def test_a_unit_that_ends_its_process_gives_the_exit_status(code: Installation) -> None:
    assert "3" in why(code, "quitter", of_image("acme/quitter:1"))


def test_a_model_larger_than_its_limit_is_out_of_memory(code: Installation) -> None:
    limited = of_image("acme/hungry:1", resources={"limits": {"memory": "256Mi"}})

    assert "memory" in why(code, "hungry", limited).lower()


def test_an_unknown_image_without_an_engine_says_how_to_go_on(code: Installation) -> None:
    description = why(code, "stranger", of_image("acme/unheard-of:7"))

    assert "acme/unheard-of:7" in description
    assert "config.toml" in description


def test_a_missing_secret_is_named(code: Installation) -> None:
    graph = {
        "name": "c",
        "implementation": "SKLEARN_SERVER",
        "modelUri": "s3://models/iris",
        "envSecretRefName": "s3-keys",
    }

    assert "s3-keys" in why(code, "secretless", {"name": "main", "graph": graph})


def test_the_cause_is_an_event_and_in_describe(code: Installation, tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(b"not a pickle at all")
    why(code, "told", sklearn(tmp_path))

    described = code.run("describe", "sdep", "told").stdout

    assert "model.joblib" in described
    assert "Warning" in described


def test_a_failed_deployment_takes_nothing_else_down(code: Installation, tmp_path: Path) -> None:
    code.apply(sdep("fine", images("main", {"name": "m"}, {"m": "seldonio/fixed-model:0.1"})))
    code.wait_for("fine")

    why(code, "bad", sklearn(tmp_path / "nowhere"))

    assert code.predict("fine", ROW).status == 200


def test_a_repaired_manifest_becomes_available(code: Installation, iris: Path, tmp_path: Path) -> None:
    why(code, "repaired", sklearn(tmp_path / "nowhere"))

    code.apply(sdep("repaired", sklearn(iris)))
    until(lambda: code.status("repaired").get("state") == "Available", what="the repaired deployment")

    assert code.predict("repaired", ROW).status == 200
