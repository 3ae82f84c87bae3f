"""One installation for the commands that do not stop it, with one model in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cluster.apart import Apart, cluster_apart
from support.instance import Installation, installation
from support.manifests import sdep, sklearn
from support.models import train_iris_sklearn


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("iris")
    train_iris_sklearn(folder)
    return folder


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, iris: Path) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("cli") / "home") as started:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "seldon"}}
        started.api("/api/v1/namespaces", "POST", namespace)
        started.apply(sdep("iris", sklearn(iris), namespace="seldon"))
        started.wait_for("iris", namespace="seldon")
        yield started


@pytest.fixture
def apart() -> Iterator[Apart]:
    with cluster_apart() as found:
        yield found
