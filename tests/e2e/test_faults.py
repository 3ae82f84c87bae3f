"""Whatever process is killed, nothing that was accepted is lost and what can serve goes on serving."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.instance import Installation, call, installation, lives, start, stop, until
from support.load import load
from support.manifests import images, sdep, sklearn

pytestmark = pytest.mark.slow

ROW = {"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}
PATH = "/seldon/default/iris/api/v1.0/predictions"


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory, iris: Path) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("fragile") / "home") as running:
        running.apply(sdep("iris", sklearn(iris, replicas=2)))
        running.wait_for("iris")
        until(lambda: len(running.worker_pids("iris")) == 2, what="two workers")
        yield running


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_a_killed_control_process_drops_no_request_and_no_deployment(fragile: Installation) -> None:
    workers = set(fragile.worker_pids("iris"))
    control = fragile.process("-m fairlead.control")

    with load(fragile.url + PATH, ROW) as requests:
        until(lambda: requests.count > 50)
        kill(control)
        until(lambda: _answers(fragile), what="the next control process")
        fragile.apply(sdep("later", images("main", {"name": "m"}, {"m": "seldonio/fixed-model:0.1"})))
        fragile.wait_for("later")
        fragile.wait_for("iris")

    assert requests.failures == []
    assert set(requests.answers) == {200}
    assert set(fragile.worker_pids("iris")) == workers
    fragile.delete("later")


def test_a_killed_gateway_comes_back_with_its_routes(fragile: Installation) -> None:
    gateway = fragile.process("fairlead.backends.local.gateway")

    kill(gateway)
    until(lambda: not lives(gateway))
    until(lambda: _predicts(fragile), what="the next gateway")

    assert fragile.predict("iris", ROW).status == 200


def test_a_killed_nursery_touches_no_replica(fragile: Installation) -> None:
    workers = set(fragile.worker_pids("iris"))
    nurseries = [pid for pid, command in fragile.descendants().items() if "--runtime sklearn" in command]
    victims = [pid for pid in nurseries if pid not in workers]

    with load(fragile.url + PATH, ROW) as requests:
        until(lambda: requests.count > 50)
        for pid in victims:
            kill(pid)
        until(lambda: not any(lives(pid) for pid in victims))
        seen = requests.count
        until(lambda: requests.count > seen + 200)

    assert victims
    assert requests.failures == []
    assert set(requests.answers) == {200}
    assert set(fragile.worker_pids("iris")) == workers


def test_a_killed_worker_fails_only_what_it_held_and_is_replaced(fragile: Installation) -> None:
    first, second = fragile.worker_pids("iris")

    with load(fragile.url + PATH, ROW) as requests:
        until(lambda: requests.count > 50)
        kill(first)
        until(lambda: len(set(fragile.worker_pids("iris")) - {first}) == 2, what="the replacement")
        seen = requests.count
        until(lambda: requests.count > seen + 200)

    assert requests.failures == []
    assert set(requests.answers) <= {200, 502, 503}
    assert requests.answers[502] + requests.answers[503] <= 4  # one for each connection of the load at the most
    assert second in fragile.worker_pids("iris")


def test_the_only_worker_killed_makes_the_next_requests_wait(fragile: Installation, iris: Path) -> None:
    fragile.apply(sdep("single", sklearn(iris)))
    fragile.wait_for("single")
    (worker,) = fragile.worker_pids("single")

    kill(worker)
    # Until it is reaped some of its threads may still hold its socket open, and what they are given is lost.
    until(lambda: not Path(f"/proc/{worker}").exists())

    assert fragile.predict("single", ROW).status == 200


def test_every_accepted_write_survives_a_killed_control(fragile: Installation) -> None:
    accepted = []
    for number in range(20):
        name = f"kept-{number}"
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": str(number)}}
        fragile.api("/api/v1/namespaces/default/configmaps", "POST", document)
        accepted.append(name)
    kill(fragile.process("-m fairlead.control"))
    until(lambda: _answers(fragile), what="the next control process")

    found = fragile.api("/api/v1/namespaces/default/configmaps")["items"]

    assert {item["metadata"]["name"] for item in found} >= set(accepted)


def test_a_killed_supervisor_leaves_no_process_and_the_next_one_finds_its_state(tmp_path: Path, iris: Path) -> None:
    home = tmp_path / "home"
    first = start(home)
    processes = list(first.descendants())
    try:
        first.apply(sdep("iris", sklearn(iris)))
        first.wait_for("iris")
        processes = list(first.descendants())
        assert len(processes) > 4
        kill(first.pid)
        until(lambda: not any(lives(pid) for pid in processes), timeout_s=20, what="the end of every process")
    finally:
        for pid in processes:
            if lives(pid):
                kill(pid)

    second = start(home)
    try:
        second.wait_for("iris")
        assert second.predict("iris", ROW).status == 200
    finally:
        stop(second)


def _answers(running: Installation) -> bool:
    try:
        return call(f"{running.control_url}/readyz").status == 200
    except OSError:
        return False


def _predicts(running: Installation) -> bool:
    try:
        return running.predict("iris", ROW).status == 200
    except OSError:
        return False
