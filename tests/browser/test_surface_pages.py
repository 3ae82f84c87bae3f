"""The API page of every surface besides the one in `test_docs_page`, at the worker itself: a person opens the first
request of the page, presses Execute, and reads the model's answer."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from fairlead.dataplane.spec import Placement
from fairlead.plan.model import Protocol, Unit, UnitName
from support.models import train_iris_sklearn
from support.workers import running_worker

pytestmark = pytest.mark.slow

# Where the page is, which request of it to open, and what only its answer holds.
PAGES = {
    "unit": ("/docs/", "/predict", '"requestPath"'),
    "v1": ("/docs/", ":predict", '"predictions"'),
    "v2": ("/v2/docs/", "/infer", '"model_name"'),
    "tensorflow": ("/docs/", ":predict", '"predictions"'),
}


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder: Path = train_iris_sklearn(tmp_path_factory.mktemp("iris"))
    model = Unit(name=UnitName("classifier"), runtime="sklearn", image="seldonio/sklearnserver:1.18.2")
    placement = Placement(unit="classifier", folder=str(folder))
    protocols = {"v1": Protocol.V1, "v2": Protocol.V2, "tensorflow": Protocol.TENSORFLOW}
    with ExitStack() as running:
        ports = {"unit": running.enter_context(running_worker(model, placement=placement, single_unit=True)).port}
        for name, protocol in protocols.items():
            ports[name] = running.enter_context(running_worker(model, placement=placement, protocol=protocol)).port
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


@pytest.mark.parametrize("name", PAGES)
def test_execute_gets_the_models_answer(name: str, browser: Browser, addresses: dict[str, str]) -> None:
    where, opened, only = PAGES[name]
    url = addresses[name]
    problems: list[str] = []
    foreign: list[str] = []
    page = browser.new_context().new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((url, "data:")) else foreign.append(asked.url))

    page.goto(f"{url}{where}")
    page.locator(".opblock-post", has_text=opened).first.click()
    page.get_by_role("button", name="Execute").first.click()

    answer = page.locator(".live-responses-table")
    expect(answer.locator("tbody .response-col_status").first).to_contain_text("200")
    expect(answer).to_contain_text(only)
    assert problems == []
    assert foreign == []
