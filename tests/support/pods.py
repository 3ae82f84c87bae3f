"""Containers of a pod as processes of this machine: each command with its arguments and environment, and nothing of
ours around it. They find each other on the loopback address, as containers of one pod do."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.instance import FAIRLEAD, Answer, call, until

JSON = {"Content-Type": "application/json"}


class Container:
    """One process. What it wrote is in `log`."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(30)


@contextmanager
def container(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Container]:
    """A running command, killed at the end if it is still there. `folder` takes its log."""
    log = folder / f"{arguments[0].lstrip('-')}-{len(list(folder.iterdir()))}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(FAIRLEAD), *arguments], env={**os.environ, **(env or {})}, stdout=output, stderr=output
        )
    try:
        yield Container(process, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(30)


def until_ready(one: Container, url: str, headers: Mapping[str, str] | None = None) -> None:
    """Wait for 200 there."""

    def answers() -> bool:
        assert one.process.poll() is None, one.log
        try:
            return call(url, headers=headers).status == 200
        except OSError:
            return False

    until(answers, what=url)


def post(url: str, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON request."""
    return call(url, "POST", json.dumps(value).encode(), {**JSON, **(headers or {})})


def engine_predictor(predictor: Mapping[str, Any]) -> dict[str, str]:
    """The variable that tells an orchestrator its graph."""
    return {"ENGINE_PREDICTOR": base64.b64encode(json.dumps(predictor).encode()).decode()}


def node(name: str, http: int = 0, grpc: int = 0, **fields: Any) -> dict[str, Any]:
    """A node of a graph whose endpoint is on this machine."""
    endpoint = {"service_host": "127.0.0.1", "service_port": http or grpc, "httpPort": http, "grpcPort": grpc}
    return {"name": name, "type": "MODEL", "endpoint": endpoint, **fields}
