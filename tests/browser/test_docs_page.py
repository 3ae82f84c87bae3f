"""The API's own page in a real browser, with no network but the gateway."""

import pytest
from playwright.sync_api import Browser, Page, expect

from support.instance import Installation

pytestmark = pytest.mark.slow


@pytest.fixture
def page(browser: Browser) -> Page:
    context = browser.new_context()
    context.set_default_timeout(20_000)
    return context.new_page()


@pytest.mark.parametrize("name", ["iris", "seven"])
def test_try_it_out_gets_a_prediction_from_the_model(name: str, page: Page, served: Installation) -> None:
    problems: list[str] = []
    foreign: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith((served.url, "data:")) else foreign.append(request.url),
    )

    page.goto(f"{served.url}/seldon/default/{name}/api/v1.0/doc/")
    page.locator(".opblock-post", has_text="predictions").first.click()
    page.get_by_role("button", name="Execute").first.click()

    answer = page.locator(".live-responses-table")
    expect(answer.locator("tbody .response-col_status").first).to_contain_text("200")
    expect(answer).to_contain_text("ndarray")
    assert problems == []
    assert foreign == []


def test_the_listing_leads_a_person_to_the_docs(page: Page, served: Installation) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)

    page.goto(f"{served.url}/")
    page.get_by_role("link", name="try it").first.click()

    expect(page.locator(".swagger-ui")).to_contain_text("predictions")
    assert problems == []
