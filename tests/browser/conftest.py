"""The distribution's Chromium, driven by Playwright, and an installation to look at."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from support.instance import Installation, installation
from support.manifests import sdep, sklearn
from support.models import model_of, train_iris_sklearn

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Nothing but the page under test: Chromium's own background traffic would fail and fill the console.
_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Names of deployments, which need the internet to be looked up.
    "--host-resolver-rules=MAP *.sslip.io 127.0.0.1",
]


# Playwright keeps an event loop running in this thread while it lives, and other tests need to start their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("not run: no chromium on this machine; `apt-get install chromium` gets it")
    flags = [*_FLAGS, "--no-sandbox"] if os.geteuid() == 0 else _FLAGS
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=flags)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("browser")
    with installation(folder / "home") as running:
        running.apply(sdep("iris", sklearn(train_iris_sklearn(folder / "iris"))))
        running.apply(sdep("seven", sklearn(train_iris_sklearn(folder / "seven", model=model_of(7)))))
        running.wait_for("iris")
        running.wait_for("seven")
        yield running
