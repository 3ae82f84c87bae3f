"""Push and pull of one large file through a running registry, beside what copying it to the same store takes.

Over a folder the measure is a plain copy by sendfile, which is never a reflink; it, the push and the pull are all
forced to the disk, and what they read is in the page cache. Over S3 it is `rclone copy` to and from the same `rclone
serve s3`, with nothing forced. Everything runs once per round and in turn, so that a noisy machine is noisy for all;
the best round of each counts.
Run: python -m bench.registry [--mib 1024] [--rounds 5] [--store folder|s3]. Writes build/bench-registry.json.
"""

import argparse
import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_MIB = 1024 * 1024
_PIECE = 4 * _MIB
_LEFT_FREE = 512 * _MIB
_KEY, _SECRET = "benchbenchbench", "benchbenchbenchbench"
_S3_LISTENS = re.compile(r"Starting s3 server on \[(http://[\d.]+:\d+)/?\]")
_FAIRLEAD = str(Path(sys.executable).with_name("fairlead"))
_RCLONE = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone") or "rclone"


def main() -> None:
    """Measure both stores and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--store", choices=("folder", "s3"), action="append")
    asked = parser.parse_args()
    stores = {"folder": _folder, "s3": _s3}
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        root = Path(name)
        source = root / "source"
        _fill(source, asked.mib)
        found = {name: stores[name](root, source, asked.rounds) for name in asked.store or stores}
    Path("build").mkdir(exist_ok=True)
    Path("build/bench-registry.json").write_text(json.dumps({"mib": asked.mib, **found}, indent=2) + "\n")
    for store, figures in found.items():
        for what, value in figures.items():
            print(f"{store:7} {what:24} {value:8.1f} {'MiB' if 'memory' in what else 'MiB/s'}")


def _fill(path: Path, mib: int) -> None:
    """Bytes that no store can make smaller."""
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(_MIB))
    # What is still on its way to the disk would slow whoever comes first.
    _force(path)


def _folder(root: Path, source: Path, rounds: int) -> dict[str, float]:
    def copy() -> None:
        target = root / "copy"
        shutil.copyfile(source, target)
        _force(target)
        target.unlink()

    with _registry(root / "home-folder") as server:
        return _measured(server, source, rounds, {"plain copy": copy}, forced=True)


def _s3(root: Path, source: Path, rounds: int) -> dict[str, float]:
    (root / "s3" / "bucket").mkdir(parents=True)
    command = [_RCLONE, "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{_KEY},{_SECRET}", "--config", ""]
    with _program([*command, str(root / "s3")], _S3_LISTENS) as (_, url):
        remote = {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ENDPOINT": url,
            "ACCESS_KEY_ID": _KEY,
            "SECRET_ACCESS_KEY": _SECRET,
        }
        env = {f"RCLONE_CONFIG_S3_{name}": value for name, value in remote.items()}

        def rclone(*words: str) -> Callable[[], None]:
            return lambda: _run([_RCLONE, *words, "--config", ""], env)

        there = "s3:bucket/rclone"
        with _registry(root / "home-s3", env | {"FAIRLEAD_REGISTRY_STORE": "s3://bucket/registry"}) as server:
            others = {
                "rclone copy there": rclone("copyto", "--ignore-times", str(source), there),
                "rclone copy back": rclone("copyto", "--ignore-times", there, str(root / "back")),
            }
            return _measured(server, source, rounds, others, lambda: (root / "back").unlink(missing_ok=True))


class _Server:
    """One registry in a process of its own, and its client."""

    def __init__(self, url: str, token: str, pid: int) -> None:
        self._place = urlsplit(url)
        self._headers = {"X-YATAI-API-TOKEN": token, "X-Bentoml-Version": "1.4.39"}
        self._pid = pid

    def push(self, source: Path, version: str) -> None:
        """What a client does in proxy mode."""
        base = "/api/v1/model_repositories"
        self._json("POST", base, {"name": "bench", "description": ""})
        one = f"{base}/bench/models/{version}"
        made = {
            "version": version,
            "build_at": "2026-01-01 00:00:00.000000",
            "manifest": {},
            "description": "",
            "labels": [],
        }
        self._json("POST", f"{base}/bench/models", made)
        self._json("PATCH", f"{one}/start_upload")
        connection = self._connection()
        length = {"Content-Length": str(source.stat().st_size)}
        with source.open("rb") as file:
            connection.request("PUT", f"{one}/upload", iter(lambda: file.read(_PIECE), b""), self._headers | length)
            answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()

    def pull(self, version: str, target: Path) -> None:
        """Write it to a file, as clients do."""
        connection = self._connection()
        connection.request("GET", f"/api/v1/model_repositories/bench/models/{version}/download", headers=self._headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        # One buffer: to make one for every piece would cost the client more than the copying.
        buffer = memoryview(bytearray(_MIB))
        with target.open("wb", buffering=0) as file:
            while count := answer.readinto(buffer):
                file.write(buffer[:count])
        connection.close()

    def peak_mib(self) -> float:
        """The most memory that the server's process has had."""
        status = Path(f"/proc/{self._pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        connection = self._connection()
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {})
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._place.hostname or "", self._place.port, timeout=600, blocksize=_MIB)


def _measured(
    server: _Server,
    source: Path,
    rounds: int,
    others: dict[str, Callable[[], None]],
    tidy: Callable[[], object] = lambda: None,
    *,
    forced: bool = False,
) -> dict[str, float]:
    """MiB/s of each, the best of the rounds, and the server's peak memory."""
    size = source.stat().st_size / _MIB
    wanted, pulled = _digest(source), source.with_name("pulled")

    def pull(version: str) -> None:
        server.pull(version, pulled)
        if forced:
            _force(pulled)

    seen: dict[str, list[float]] = {}
    for turn in range(rounds):
        version = f"v{turn}"
        steps: dict[str, Callable[[], object]] = {
            "push": partial(server.push, source, version),
            "pull": partial(pull, version),
            **others,
        }
        for name, work in steps.items():
            _leave_nothing_free(source.parent)
            began = time.perf_counter()
            work()
            seen.setdefault(name, []).append(size / (time.perf_counter() - began))
        assert _digest(pulled) == wanted, "the bytes differ"
        pulled.unlink()
        tidy()
    return {name: max(values) for name, values in seen.items()} | {"peak memory": server.peak_mib()}


def _leave_nothing_free(folder: Path) -> None:
    """Fill free memory with the pages of a file that is one hole. A virtual machine gives free memory back to its host,
    and to get it again costs a step ten times what writing a page does, whichever step it is; pages that the cache
    gives up cost nothing, and on a server that has run for a while there are no others."""
    text = Path("/proc/meminfo").read_text()
    free = int(text.partition("MemFree:")[2].split()[0]) * 1024 - _LEFT_FREE
    if free > 0:
        hole = folder / f"hole-{time.monotonic_ns()}"
        with hole.open("wb") as file:
            file.truncate(free)
        with hole.open("rb", buffering=0) as file:
            buffer = bytearray(_MIB)
            while file.readinto(buffer):
                pass


def _force(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _registry(home: Path, env: dict[str, str] | None = None) -> Iterator[_Server]:
    words = [_FAIRLEAD, "registry", "serve", "--port", "0", "--home", str(home), "-o", "json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env=os.environ | (env or {}), text=True)
    try:
        assert process.stdout is not None
        text = ""
        while not text.rstrip().endswith("}"):
            text += process.stdout.readline()
        token = subprocess.run(
            [_FAIRLEAD, "token", "create", "--home", str(home)], capture_output=True, text=True, check=True
        ).stdout.strip()
        yield _Server(json.loads(text)["url"], token, process.pid)
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def _program(words: list[str], listens: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if match := listens.search(line):
                yield process.pid, match[1]
                return
        sys.exit("the S3 server did not start")
    finally:
        process.terminate()
        process.wait(20)


def _run(words: list[str], env: dict[str, str]) -> None:
    subprocess.run(words, env=os.environ | env, check=True)


if __name__ == "__main__":
    main()
