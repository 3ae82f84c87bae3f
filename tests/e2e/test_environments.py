"""Models that ask for libraries which are not installed here: an environment is built, and the status tells."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.hanging_server import HangingServer
from support.instance import Installation, installation, until
from support.manifests import images, sdep
from support.models import save_mlflow
from support.package_index import package_index
from support.wheels import wheel

pytestmark = pytest.mark.slow
ROW = {"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}
CODE = """
class Tells:
    def predict(self, X, names):
        import mine, sklearn
        return [[mine.VERSION]]
"""


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Two folders of one class, each with another version of one library; no index is needed for them."""
    root = tmp_path_factory.mktemp("classes")
    config = ""
    for version in ("1.0", "2.0"):
        folder = root / f"v{version}"
        made = wheel(folder, "mine", version)
        (folder / "requirements.txt").write_text(f"./{made.name}\n")
        (folder / "Tells.py").write_text(CODE)
        config += f'[images."test/tells-{version}"]\nclass = "Tells"\npath = "{folder}"\n'
    with installation(root / "home", config=config) as running:
        yield running


def events(running: Installation) -> list[str]:
    return [f"{one['reason']}: {one['message']}" for one in running.api("/api/v1/namespaces/default/events")["items"]]


def mlflow(name: str, folder: Path, **annotations: str) -> dict[str, Any]:
    graph = {"name": "m", "implementation": "MLFLOW_SERVER", "modelUri": str(folder)}
    document = sdep(name, {"name": "default", "graph": graph})
    document["metadata"]["annotations"] = {f"fairlead.dev/{key}": value for key, value in annotations.items()}
    return document


@pytest.mark.usefixtures(package_index.__name__)
def test_a_model_that_pins_what_is_not_installed_becomes_available(shared: Installation, tmp_path: Path) -> None:
    folder = save_mlflow(tmp_path / "m", "sklearn", ["scikit-learn", "cowsay==6.1"])
    shared.apply(mlflow("pinned", folder))
    shared.wait_for("pinned", timeout_s=120)

    assert shared.predict("pinned", ROW).status == 200
    told = [text for text in events(shared) if "environment of unit m" in text]
    assert any("requirements.txt: cowsay==6.1 (installed: not at all)" in text for text in told)
    assert any("installing 1 package" in text for text in told)
    assert any(text.startswith("EnvironmentBuilt: ") for text in told)


@pytest.mark.usefixtures(package_index.__name__)
def test_a_pin_that_does_not_exist_fails_with_the_reason(shared: Installation, tmp_path: Path) -> None:
    folder = save_mlflow(tmp_path / "m", "sklearn", ["scikit-learn", "cowsay==99.0"])
    shared.apply(mlflow("unpinnable", folder))
    shared.wait_for("unpinnable", "Failed")

    assert "there is no version of cowsay==99.0" in shared.status("unpinnable")["description"]
    assert any(text.startswith("EnvironmentFailed: m: ") for text in events(shared))
    shared.apply(mlflow("unpinnable", folder, environment="never"))
    until(lambda: shared.status("unpinnable").get("state") == "Available", what="Available without an environment")


def test_two_nodes_of_one_graph_have_each_their_version(classes: Installation) -> None:
    children = [{"name": "one", "type": "MODEL"}, {"name": "two", "type": "MODEL"}]
    graph = {"name": "ab", "implementation": "RANDOM_ABTEST", "children": children}
    graph["parameters"] = [{"name": "ratioA", "value": "0.5", "type": "FLOAT"}]
    classes.apply(sdep("both", images("default", graph, {"one": "test/tells-1.0", "two": "test/tells-2.0"})))
    classes.wait_for("both")

    answers = [classes.predict("both", ROW).json() for _ in range(12)]

    told = {(one["meta"]["routing"]["ab"], one["data"]["ndarray"][0][0]) for one in answers}
    assert told <= {(0, "1.0"), (1, "2.0")}
    assert told


def test_replicas_are_forked_from_a_nursery_of_their_environment(classes: Installation) -> None:
    classes.apply(sdep("alone", {**images("default", {"name": "one"}, {"one": "test/tells-1.0"}), "replicas": 2}))
    classes.wait_for("alone")

    python = next(path for path in (classes.home / "cache" / "environments").glob("*/bin/python"))
    nurseries = [command for command in classes.descendants().values() if "local.nursery" in command]
    assert any(str(python.parents[1].parent) in command for command in nurseries)
    assert classes.predict("alone", ROW).json()["data"]["ndarray"] == [["1.0"]]
    assert len(classes.worker_pids("alone")) == 2


def test_a_build_outlives_the_death_of_control(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "Tells.py").write_text(CODE)
    config = f'[images."test/tells"]\nclass = "Tells"\npath = "{tmp_path / "code"}"\n'
    with (
        HangingServer(wheel(tmp_path, "mine")) as server,
        installation(tmp_path / "home", config=config) as running,
    ):
        (tmp_path / "code" / "requirements.txt").write_text(f"{server.url}\n")
        running.apply(sdep("slow", images("default", {"name": "one"}, {"one": "test/tells"})))
        assert server.asked.wait(30)
        os.kill(running.process("fairlead.control"), signal.SIGKILL)
        server.go_on.set()
        until(lambda: running.predict("slow", ROW).status == 200, what="an answer")

        folders = [path.name for path in (running.home / "cache" / "environments").iterdir()]
        assert len(folders) == 1
        assert not folders[0].startswith(".")
