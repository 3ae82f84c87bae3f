"""A real Prometheus server scrapes an installation at its one address, while workers die."""

import json
import os
import shutil
import signal
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.ports import free_ports

from support.instance import Installation, call, installation, until
from support.manifests import sdep

pytestmark = pytest.mark.slow

ROW = {"data": {"ndarray": [[1, 2]]}}
SERVER = "seldon_api_executor_server_requests_seconds"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("prom") / "home") as made:
        graph = {"name": "m", "implementation": "SIMPLE_MODEL"}
        made.apply(sdep("counted", {"name": "default", "graph": graph}, replicas=2))
        made.wait_for("counted")
        yield made


def scraped(running: Installation, name: str, **labels: str) -> float:
    """The sum of a metric's lines over all replicas."""
    total = 0.0
    for line in call(f"{running.url}/-/metrics").body.decode().splitlines():
        if line.startswith(f"{name}{{") and all(f'{key}="{value}"' in line for key, value in labels.items()):
            total += float(line.rpartition(" ")[2])
    return total


def served(running: Installation) -> float:
    return scraped(running, f"{SERVER}_count", namespace="default", deployment_name="counted", service="predictions")


def predict(running: Installation, times: int) -> int:
    """How many of so many requests were answered. One that is at a replica when it is killed is not."""
    return sum(running.predict("counted", ROW).status == 200 for _ in range(times))


def test_what_a_killed_worker_counted_stays_in_the_sum_and_is_counted_once(running: Installation) -> None:
    before = served(running)
    assert predict(running, 20) == 20
    assert served(running) == before + 20

    for pid in running.worker_pids("counted"):
        os.kill(pid, signal.SIGKILL)
    assert served(running) == before + 20
    answered = predict(running, 5)

    assert served(running) == before + 20 + answered
    until(lambda: len(running.worker_pids("counted")) == 2, what="both replicas are back")
    assert served(running) == before + 20 + answered


def test_what_a_drained_worker_counted_last_is_not_lost(running: Installation) -> None:
    before = served(running)
    assert predict(running, 10) == 10

    running.scale("counted", 1)
    until(lambda: len(running.worker_pids("counted")) == 1, what="one replica is left")

    assert served(running) == before + 10
    running.scale("counted", 2)
    until(lambda: len(running.worker_pids("counted")) == 2, what="two replicas again")


def test_the_gateway_goes_on_from_what_it_added_up_before(running: Installation) -> None:
    before = served(running)

    os.kill(running.process("fairlead.backends.local.gateway"), signal.SIGKILL)
    until(lambda: _answers(running) and served(running) >= before, what="the gateway counts again")

    assert served(running) == before


def _answers(running: Installation) -> bool:
    try:
        return call(f"{running.url}/-/healthy").status == 200
    except OSError:
        return False


class Prometheus:
    """A server on loopback."""

    def __init__(self, folder: Path, target: str) -> None:
        (self.port,) = free_ports(1)
        config = {
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"},
            "scrape_configs": [
                {"job_name": "fairlead", "metrics_path": "/-/metrics", "static_configs": [{"targets": [target]}]}
            ],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))
        argv = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [*argv, f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self._log, stderr=self._log
        )

    def query(self, words: str) -> list[dict[str, Any]]:
        answer = call(f"http://127.0.0.1:{self.port}/api/v1/query?query={urllib.parse.quote(words)}")
        if answer.status == 503:  # it is starting
            return []
        assert answer.status == 200, answer.body
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def value(self, words: str) -> float:
        """The one value; -1 while there is none."""
        try:
            found = self.query(words)
        except OSError:
            return -1
        return float(found[0]["value"][1]) if found else -1

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._log.close()


@pytest.fixture
def prometheus(running: Installation, tmp_path: Path) -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None:
        pytest.skip("not run: no prometheus here; the Debian package `prometheus` has it")
    server = Prometheus(tmp_path, running.url.removeprefix("http://"))
    try:
        yield server
    finally:
        server.stop()


def test_prometheus_sees_sums_rates_and_quantiles_across_a_death(running: Installation, prometheus: Prometheus) -> None:
    own = f'{SERVER}_count{{deployment_name="counted",service="predictions"}}'
    until(lambda: prometheus.value(f"sum({own})") >= 0, what="the first scrape")
    before = prometheus.value(f"sum({own})")
    assert predict(running, 30) == 30
    until(lambda: prometheus.value(f"sum({own})") == before + 30, what="what was asked is counted")

    os.kill(running.worker_pids("counted")[0], signal.SIGKILL)
    after = before + 30 + predict(running, 10)
    until(lambda: prometheus.value(f"sum({own})") == after, what="nothing is lost or counted twice")

    until(lambda: prometheus.value(f"sum(rate({own}[1m]))") > 0, what="a rate")
    quantile = f"histogram_quantile(0.9, sum by (le) (rate({SERVER}_bucket{{deployment_name='counted'}}[1m])))"
    until(lambda: 0 < prometheus.value(quantile) < 10, what="a quantile")
    assert prometheus.value("sum(fairlead_model_seconds_count{unit='m'})") >= after
    assert prometheus.value("count(process_resident_memory_bytes{replica!=''})") >= 1
    # No counter ever fell: Prometheus would take that for a new process and count all of it again.
    assert prometheus.value(f"sum(resets({own}[1m]))") == 0
