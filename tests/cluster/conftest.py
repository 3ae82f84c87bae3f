"""Namespaces and models for tests in a cluster that somebody has started; see `support.real_cluster`."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.models import train_iris_sklearn
from support.real_cluster import Namespace, host, namespace


@pytest.fixture
def space() -> Iterator[Namespace]:
    """A namespace for one test."""
    with namespace() as made:
        yield made


@pytest.fixture(scope="session")
def iris_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `iris/model.joblib` is."""
    folder = tmp_path_factory.mktemp("models")
    train_iris_sklearn(folder / "iris")
    return folder


@pytest.fixture(scope="session")
def iris(iris_folder: Path) -> Iterator[str]:
    """The URL of a model, from where pods can fetch it."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(iris_folder))
    with http.server.ThreadingHTTPServer((host(), 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{host()}:{server.server_port}/iris/model.joblib"
        server.shutdown()
        thread.join()
