"""The way of Yatai's tutorial to its end: a model is saved, a bento built, pushed and deployed, and its page opened and
asked in a real browser, with no network but the gateway."""

import json
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from support.bento_files import share_environments, unpacked
from support.bentoml_clients import Bentoml, bentoml, surroundings
from support.instance import call, installation
from support.package_index import package_index
from support.peers import environment

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(package_index.__name__)]

_CLIENT = "1.4.39"
_SAVE = """
import pathlib, bentoml
with bentoml.models.create("offset") as model:
    pathlib.Path(model.path_of("offset.txt")).write_text("10")
"""
_BENTOFILE = {
    "service": "service:Sums",
    "name": "tutorial",
    "include": ["service.py"],
    # What BentoML writes for those who write nothing shows pictures of other sites.
    "description": "Adds ten.",
    # As locked once, so that its environment is the one that other tests have built.
    "python": {"requirements_txt": "./requirements.txt", "lock_packages": False},
}


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """Where a deployment answers: below the gateway's own address, and by a host of its own."""

    path: str
    host: str


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("tutorial")
    share_environments(folder / "home")
    with installation(folder / "home") as running, bentoml(_CLIENT, folder / "client") as client:
        _save_and_build(client, unpacked("sums_new", folder / "made"))
        token = running.run("token", "create").stdout.strip()
        assert client.login(running.control_url, token).code == 0
        said = client("push", "tutorial:latest")
        assert said.code == 0, said.out
        said = client("deploy", "tutorial:latest", "-n", "tutorial", "--timeout", "200")
        assert said.code == 0, said.out

        shown = client("deployment", "get", "tutorial", "-o", "json").out
        (path,) = json.loads(shown[shown.index("{") :])["endpoint_urls"]
        objects = "/apis/serving.yatai.ai/v2alpha1/namespaces/default/bentodeployments"
        yield Deployed(path=path, host=running.api(f"{objects}/tutorial")["status"]["url"])


def _save_and_build(client: Bentoml, made: Path) -> None:
    """A bento of what one that was made before consists of."""
    project = client.home / "project"
    project.mkdir()
    shutil.copy(made / "src" / "service.py", project)
    shutil.copy(made / "env" / "python" / "requirements.txt", project)
    (project / "bentofile.yaml").write_text(json.dumps(_BENTOFILE))
    python = environment(f"bentoml-{_CLIENT}")
    subprocess.run([python, "-c", _SAVE], env=surroundings(python, client.home), check=True, timeout=60)
    said = client("build", str(project))
    assert said.code == 0, said.out


@pytest.fixture
def page(browser: Browser) -> Page:
    context = browser.new_context()
    context.set_default_timeout(20_000)
    return context.new_page()


@pytest.mark.parametrize("form", ["path", "host"])
def test_the_page_of_a_deployed_bento_asks_it(form: str, page: Page, deployed: Deployed) -> None:
    url = getattr(deployed, form)
    problems: list[str] = []
    foreign: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith((url, "data:")) else foreign.append(request.url))

    page.goto(url)
    operation = page.locator(".opblock-post", has_text="/add").first
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.locator("textarea").fill('{"number": 5}')
    operation.get_by_role("button", name="Execute").click()

    answer = operation.locator(".live-responses-table")
    expect(answer.locator("tbody .response-col_status").first).to_contain_text("200")
    expect(answer.locator("tbody .microlight").first).to_have_text("15")
    assert (foreign, problems) == ([], [])


def test_a_path_without_its_last_slash_leads_to_the_page(page: Page, deployed: Deployed) -> None:
    bare = deployed.path.rstrip("/")

    page.goto(bare)

    expect(page.locator(".swagger-ui .info .title")).to_contain_text("Sums")
    assert urllib.parse.urlsplit(page.url).path == urllib.parse.urlsplit(deployed.path).path
    assert call(f"{deployed.path}add", "POST", b'{"number": 5}', {"Content-Type": "application/json"}).body == b"15"
