"""One installation for the tests that do not harm it; those that do start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.instance import Installation, installation
from support.models import train_iris_sklearn


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("home") / "fairlead") as running:
        yield running


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("iris")
    train_iris_sklearn(folder)
    return folder
