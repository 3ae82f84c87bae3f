"""A real S3 server that checks signatures: `rclone serve s3` on a free loopback port, over a folder of buckets."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ACCESS_KEY = "AKIATESTTESTTEST"
SECRET_KEY = "a-secret-that-must-never-be-shown"

_LISTENING = re.compile(r"Starting s3 server on \[(http://[\d.]+:\d+)/?\]")


@dataclass(frozen=True, slots=True)
class S3Server:
    """`root` holds one folder per bucket; files put there are objects at once."""

    url: str
    root: Path

    def env(self, remote: str = "S3", **options: str) -> dict[str, str]:
        """The Secret that makes `remote:` (by default `s3:`) mean this server."""
        values = {
            "TYPE": "s3",
            "PROVIDER": "Minio",
            "ENV_AUTH": "false",
            "ACCESS_KEY_ID": ACCESS_KEY,
            "SECRET_ACCESS_KEY": SECRET_KEY,
            "ENDPOINT": self.url,
        }
        return {f"RCLONE_CONFIG_{remote}_{name}": value for name, value in (values | options).items()}

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Create or replace an object."""
        path = self.root / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def rclone_program() -> str:
    """The rclone of the development environment, else one on PATH."""
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.is_file() else shutil.which("rclone")
    assert found, "no rclone: install the 'rclone' extra"
    return found


@contextmanager
def s3_server(root: Path, *, host: str = "127.0.0.1", is_alone: bool = False) -> Iterator[S3Server]:
    """Serve `root` until the block ends. Changes to its files are seen at once, unless it `is_alone` with them; then
    objects may be deleted too. (Without a cache of folders rclone 1.75 waits for itself when one is deleted.)"""
    root.mkdir(parents=True, exist_ok=True)
    kept = "5m" if is_alone else "0s"
    with serving(
        ["s3", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--dir-cache-time", kept, str(root)], _LISTENING, host=host
    ) as url:
        yield S3Server(url, root)


@contextmanager
def serving(words: list[str], listening: re.Pattern[str], *, host: str = "127.0.0.1") -> Iterator[str]:
    """Run `rclone serve <words>` on a free port; yields the URL its log reports (the pattern's first group)."""
    process = subprocess.Popen(
        [rclone_program(), "serve", words[0], "--addr", f"{host}:0", "--config", "", *words[1:]],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent"},
        text=True,
    )
    try:
        assert process.stderr is not None
        log: list[str] = []
        for line in process.stderr:
            log.append(line)
            if match := listening.search(line):
                # Nobody reads what it says from here on; a full pipe would stop it.
                reading = threading.Thread(target=process.stderr.read, daemon=True)
                reading.start()
                yield match[1]
                return
        raise AssertionError(f"rclone serve did not start: {''.join(log)}")
    finally:
        process.terminate()
        process.wait(timeout=20)
        if process.stderr is not None:
            process.stderr.close()
