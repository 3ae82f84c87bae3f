"""Bentos that BentoML 1.1 and 1.4 built, served by them behind the gateway: answers, parts, health, failures, zero."""

import http.client
import os
import re
import signal
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.bento_files import EXPORTED, Bentos, packed, share_environments, unpacked
from support.instance import FAIRLEAD, call, installation, until
from support.package_index import package_index

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(package_index.__name__)]


@pytest.fixture(scope="module")
def bentos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bentos]:
    """A new-style bento, one that nobody will ask for a while, and an old-style one whose runner is a component of its
    own."""
    home = tmp_path_factory.mktemp("home") / "fairlead"
    share_environments(home)
    with installation(home) as running:
        made = Bentos(running)
        made.apply("new", EXPORTED / "sums_new.bento")
        made.apply("old", EXPORTED / "sums_old.bento")
        made.apply("idle", EXPORTED / "sums_new.bento", autoscaling={"minReplicas": 0, "maxReplicas": 2})
        for name in ("new", "old"):
            made.until_available(name)
        yield made


def test_a_new_style_bento_answers_as_its_own_server_does(bentos: Bentos) -> None:
    answer = bentos.ask("new", "/add", {"number": 5})

    assert (answer.status, answer.body) == (200, b"15")
    assert answer.headers["server"] == "BentoML Service/Sums"
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-bentoml-request-id"])
    assert bentos.ask("new", "/add", {"number": "five"}).status == 400
    assert bentos.ask("new", "/add", None, method="GET").status == 405
    assert bentos.ask("new", "/nothing", {}).status == 404


def test_predict_asks_a_bento(bentos: Bentos) -> None:
    run = bentos.running.run

    assert run("predict", "new", "--data", '{"number": 5}', "--path", "add").stdout == "15\n"
    assert run("predict", "bentodeployment/old", "--data", "5", "--path", "/add").stdout == "15\n"
    refused = run("predict", "new", "--data", '{"number": "five"}', "--path", "add", check=False)
    assert (refused.returncode, "the model answered 400" in refused.stderr) == (1, True)
    unclear = run("predict", "new", "--data", '{"number": 5}', check=False)
    assert "say which: --path add, after, count, later, process, size, variable" in unclear.stderr


def test_an_old_style_bento_asks_its_runner_in_another_component(bentos: Bentos) -> None:
    answer = bentos.ask("old", "/add", 5)

    assert (answer.status, answer.body) == (200, b"15")
    pods = bentos.running.api("/api/v1/namespaces/default/pods")["items"]
    assert {pod["metadata"]["name"].rsplit("-", 2)[0] for pod in pods} >= {"old", "old-runner-0", "new"}


def test_a_stream_arrives_piece_by_piece(bentos: Bentos) -> None:
    url = urllib.parse.urlsplit(bentos.url("new"))
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    body = b'{"upto": 3, "pause_s": 0.3}'
    connection.request("POST", f"{url.path}/count", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    first = answer.read1()

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert first == b"0\n"
    assert answer.read() == b"1\n2\n"
    connection.close()


def test_forms_and_files_go_through(bentos: Bentos) -> None:
    data = bytes(range(256)) * 4096
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + data + b"\r\n--x--\r\n"
    new = call(f"{bentos.url('new')}/size", "POST", form, {"Content-Type": "multipart/form-data; boundary=x"})
    old = call(f"{bentos.url('old')}/size", "POST", data, {"Content-Type": "application/octet-stream"})

    assert new.json() == old.json() == len(data)


def test_its_pages_health_and_metrics_are_its_own(bentos: Bentos) -> None:
    for name, counted in (("new", b"bentoml_service_request_total"), ("old", b"bentoml_api_server_request_total")):
        bentos.ask(name, "/add", {"number": 1} if name == "new" else 1)

        assert call(f"{bentos.url(name)}/readyz").status == 200
        assert call(f"{bentos.url(name)}/livez").status == 200
        assert call(f"{bentos.url(name)}/docs.json").json()["info"]["title"] in ("Sums", "sums_old")
        assert b"BentoML Prediction Service" in call(f"{bentos.url(name)}/").body
        assert counted in call(f"{bentos.url(name)}/metrics").body


def test_what_bentoml_counts_is_among_the_metrics_of_the_machine(bentos: Bentos) -> None:
    bentos.ask("new", "/add", {"number": 1})
    text = call(f"{bentos.running.url}/-/metrics").body.decode()

    lines = [line for line in text.splitlines() if line.startswith("bentoml_service_request_total{")]
    (mine,) = [line for line in lines if 'endpoint="/add"' in line and 'code="200"' in line and 'service="new"' in line]
    assert 'component="api-server"' in mine
    assert 'namespace="default"' in mine
    assert re.search('replica="new-[0-9a-f-]+"', mine)


def test_a_process_knows_which_deployment_it_is(bentos: Bentos) -> None:
    assert bentos.ask("new", "/variable", {"name": "YATAI_BENTO_DEPLOYMENT_NAME"}).body == b"new"
    home = call(f"{bentos.url('old')}/variable", "POST", b"BENTOML_HOME", {"Content-Type": "text/plain"}).json()
    assert home.startswith(str(bentos.running.home))


def test_what_is_in_a_bento_is_told_of_its_request(bentos: Bentos) -> None:
    assert bentos.condition("old", "BentoAvailable")["status"] == "True"
    found = bentos.request_status("old")["found"]

    assert found["bentomlVersion"] == "1.1.11"
    assert [one["name"] for one in found["runners"]] == ["offset"]


def test_bentos_that_ask_for_the_same_share_an_environment(bentos: Bentos) -> None:
    commands = bentos.running.descendants().values()
    servers = [command for command in commands if "bentoml_cli.worker" in command]  # of the old bento and its runner
    environments = {re.findall("/environments/([0-9a-f]{32})/bin/python", command)[0] for command in servers}

    assert len(servers) > 1
    assert len(environments) == 1


def test_a_worker_that_is_killed_comes_back(bentos: Bentos) -> None:
    pid = int(bentos.ask("new", "/process", {}).body)
    os.kill(pid, signal.SIGKILL)
    until(lambda: bentos.condition("new")["status"] == "False", what="the news of the end")
    assert (
        "a worker was killed by SIGKILL" in bentos.condition("new")["message"]
        or "starting" in (bentos.condition("new")["message"])
    )

    answer = bentos.ask("new", "/add", {"number": 5})  # waits at the gateway

    assert answer.body == b"15"
    assert int(bentos.ask("new", "/process", {}).body) != pid


def test_a_service_of_a_bento_runs_apart_when_the_manifest_says_so(bentos: Bentos) -> None:
    bentos.apply("chain", EXPORTED / "chain_new.bento", runners=[{"name": "Doubling"}])
    bentos.until_available("chain")
    doubled, process = bentos.ask("chain", "/double_and_one", {"number": 5}).json()

    assert doubled == 11
    assert "--service-name Doubling" in bentos.running.descendants()[process]
    bentos.delete("chain")


def test_an_import_that_fails_is_told_with_its_last_line(bentos: Bentos, tmp_path: Path) -> None:
    folder = unpacked("sums_new", tmp_path / "b")
    source = folder / "src" / "service.py"
    source.write_text("import nosuchmodule\n" + source.read_text())
    bentos.apply("importing", folder)

    told = bentos.until_told("importing", "No module named 'nosuchmodule'")
    assert told["status"] == "False"
    bentos.delete("importing")


def test_a_service_that_cannot_begin_is_told_with_its_last_line(bentos: Bentos, tmp_path: Path) -> None:
    folder = unpacked("sums_old", tmp_path / "b")
    source = folder / "src" / "service.py"
    source.write_text(source.read_text() + '\n@svc.on_startup\ndef fail(_):\n    raise ValueError("no weights")\n')
    bentos.apply("beginning", folder)

    bentos.until_told("beginning", "ValueError: no weights")
    bentos.delete("beginning")


def test_a_model_that_is_nowhere_is_named(bentos: Bentos, tmp_path: Path) -> None:
    folder = unpacked("sums_new", tmp_path / "b")
    for path in sorted((folder / "models").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    bentos.apply("modelless", folder)

    # Before that it says that it is being fetched.
    until(lambda: bentos.condition("modelless", "BentoAvailable")["status"] == "False", what="the failure")
    assert "fairlead://offset:" in bentos.condition("modelless", "BentoAvailable")["message"]
    bentos.delete("modelless")


def test_a_list_that_cannot_be_installed_is_told_in_uvs_words(bentos: Bentos, tmp_path: Path) -> None:
    folder = unpacked("sums_new", tmp_path / "b")
    (folder / "env/python/requirements.txt").write_text("bentoml==1.4.39\ncowsay==99.0\n")
    bentos.apply("unlisted", packed(folder, tmp_path / "b.bento", mode="w:gz"))

    told = bentos.until_told("unlisted", "cowsay==99.0", type_="BentoAvailable")
    assert told["reason"] == "EnvironmentFailed"
    bentos.delete("unlisted")


def test_a_bento_is_served_by_its_path_alone(tmp_path: Path) -> None:
    share_environments(tmp_path)
    ask = "curl -sf $FAIRLEAD_URL/bento/default/sums/add -H 'Content-Type: application/json' -d '{\"number\": 5}'"
    argv = [str(FAIRLEAD), "run", "--home", str(tmp_path), str(EXPORTED / "sums_new.bento"), "--", "sh", "-c", ask]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("15")


def test_what_nobody_asks_for_goes_to_zero_and_comes_back(bentos: Bentos) -> None:
    bentos.until_available("idle", reason="ScaledToZero")

    assert bentos.ask("idle", "/add", {"number": 5}).body == b"15"
    bentos.until_available("idle", reason="PodsReady")
