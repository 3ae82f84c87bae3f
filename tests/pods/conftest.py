from pathlib import Path

import pytest

from support.models import train_iris_sklearn


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("iris")
    train_iris_sklearn(folder)
    return folder
