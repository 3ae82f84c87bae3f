"""Real clients in environments of their own, made once under `.peers/` from the files in `tests/peers/`."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".peers"


def uv() -> str:
    """The uv that `make setup` used."""
    found = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".bootstrap" / "bin" / "uv")
    if not Path(found).exists():
        raise AssertionError("uv is not here: run `make setup` first")
    return found


def environment(name: str) -> Path:
    """The interpreter of a peer's environment; builds it the first time."""
    requirements = ROOT / "tests" / "peers" / f"{name}.txt"
    folder = ENVIRONMENTS / f"test-{name}"
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "requirements.txt"
        if not stamp.exists() or stamp.read_text() != requirements.read_text():
            _uv("venv", "-q", "--clear", "--python", sys.executable, str(folder))
            _uv("pip", "install", "-q", "--python", str(folder / "bin" / "python"), "-r", str(requirements))
            stamp.write_text(requirements.read_text())
    return folder / "bin" / "python"


def _uv(*arguments: str) -> None:
    """A command of uv; a machine that cannot reach the packages is told what it could not check."""
    env = {"UV_SYSTEM_CERTS": "true", **os.environ}
    done = subprocess.run([uv(), *arguments], env=env, capture_output=True, text=True)
    if done.returncode:
        why = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        pytest.skip(f"not run: `uv {' '.join(arguments[:2])}` for this client failed: {why}")


class Refused(Exception):
    """A client's own exception: its class, the status it shows (as text, empty when it shows none) and its words."""

    def __init__(self, kind: str, status: str, words: str) -> None:
        super().__init__(f"{kind}: {status}: {words}")
        self.kind = kind
        self.status = status
        self.words = words


class PeerProcess:
    """A real client behind a pipe, driven by a file of tests/fixtures."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, **order: Any) -> Any:
        """What the client's call gives. Raises `Refused` with what the client raised."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the client's process has ended; its log says why"
        said = json.loads(line)
        if "refused" in said:
            raise Refused(**said["refused"])
        return said["answer"]


@contextlib.contextmanager
def peer(name: str, driver: str) -> Iterator[PeerProcess]:
    """One process of a client for many calls: `tests/fixtures/<driver>.py` in the environment of that name."""
    python = environment(name)
    argv = [str(python), str(ROOT / "tests" / "fixtures" / f"{driver}.py")]
    # Nothing of ours is importable there, and no proxy stands between a client and loopback.
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH",)} | {"NO_PROXY": "*"}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        yield PeerProcess(process)
        assert process.stdin is not None
        process.stdin.close()


class SeldonClientProcess:
    """The public SeldonClient behind a pipe."""

    def __init__(self, peer: PeerProcess) -> None:
        self._peer = peer

    def __call__(self, call: str, client: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        """`SeldonClient(**client).<call>(**arguments)` as success, msg and response."""
        result: dict[str, Any] = self._peer.ask(client=client, call=call, arguments=arguments)
        return result


@contextlib.contextmanager
def seldon_client() -> Iterator[SeldonClientProcess]:
    """One process of it for many calls."""
    with peer("seldon-core", "seldon_client_driver") as process:
        yield SeldonClientProcess(process)
