"""Remotes that obstore does not speak (SFTP, WebDAV, Drive, …), through the rclone program when it is installed.

rclone gets only the remotes' variables, never this process's environment or the owner's configuration file. Where the
owner restricts local files, remotes that could read them are refused.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fairlead.errors import FairleadError, Forbidden, MissingExtra, StorageError, StorageUnavailable
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.credentials import RcloneAccess
from fairlead.storage.redaction import cleaned
from fairlead.storage.source import Changed, Entry, checked
from fairlead.storage.uris import RemoteUri, without_secrets

_CHUNK_BYTES = 256 * 1024
_PASSED_ON = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")
_NETWORK_TYPES = frozenset(
    {
        "azureblob", "azurefiles", "b2", "box", "drive", "dropbox", "ftp", "google cloud storage", "gcs", "hdfs",
        "http", "koofr", "mailru", "mega", "onedrive", "oracleobjectstorage", "pcloud", "qingstor", "s3", "seafile",
        "sftp", "smb", "storj", "swift", "webdav", "yandex", "zoho",
    }
)  # fmt: skip
_NO_TIME = "2000-01-01T00:00:00"
"""What rclone reports for remotes that tell no times."""
_NOT_FOUND = (3, 4)
_TEMPORARY = 5
_LOG_PREFIX = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (ERROR|NOTICE|CRITICAL|Failed)\s*:?\s*", re.MULTILINE)
_PASSING = re.compile(
    r"dial tcp|i/o timeout|connection re(fused|set)|no such host|unexpected EOF|TLS handshake timeout|"
    r"too many requests|\b(429|500|502|503|504)\b|temporarily|rate.?limit",
    re.IGNORECASE,
)


class RcloneSource:
    """A path on a remote, listed and read by one rclone process each."""

    def __init__(
        self, uri: RemoteUri, access: RcloneAccess, *, timeouts: Timeouts, secrets: tuple[str, ...], restricted: bool
    ) -> None:
        remote = access.remote
        _check_restrictions(access, restricted=restricted)
        self._program = program(access.why)
        kind = remote.type or uri.remote.lower()
        place = without_secrets(remote.text("HOST") or remote.text("URL") or remote.text("ENDPOINT"))
        self.name = f"rclone:{kind}:{place}:{uri.path}"
        options = json.dumps(sorted(access.env.items()))
        self.identity = f"{self.name} {hashlib.sha256(options.encode()).hexdigest()}"
        self._written = str(uri)
        self._base = f"{remote.name}:{uri.path}"
        self._is_file = False
        self._timeouts = timeouts
        self._secrets = secrets
        self._env = dict(access.env)
        if not remote.type:
            self._env[remote.variable("TYPE")] = kind
        self._home = tempfile.TemporaryDirectory(prefix="fairlead-rclone-")

    def entries(self) -> Sequence[Entry]:
        """What `rclone lsjson` lists below the path, or the file of that name."""
        with self._start("lsjson", "--recursive", "--files-only", "--no-mimetype", self._base) as process:
            out, said = process.communicate()
        if process.returncode:
            raise self._failure(process.returncode, said)
        listed: list[dict[str, Any]] = json.loads(out or b"[]")
        last = self._base.rpartition("/")[2].rpartition(":")[2]
        self._is_file = len(listed) == 1 and listed[0]["Path"] == last and self._names_a_file()
        return checked(self._written, [_entry(item) for item in listed])

    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:
        """The bytes `rclone cat` prints from that offset."""
        path = self._base if self._is_file else f"{self._base.rstrip('/')}/{entry.path}"
        with self._start("cat", "--offset", str(offset), path) as process:
            try:
                assert process.stdout is not None
                while chunk := process.stdout.read1(_CHUNK_BYTES):  # type: ignore[attr-defined] # a BufferedReader
                    yield chunk
                _, said = process.communicate()
            finally:
                if process.poll() is None:
                    process.kill()
        if process.returncode in _NOT_FOUND:
            raise Changed(f"{self._written}: {entry.path} went away while it was fetched")
        if process.returncode:
            raise self._failure(process.returncode, said)

    def clone(self, entry: Entry, target: Path) -> bool:  # noqa: ARG002 - the protocol's signature
        """Remote files are always transferred."""
        return False

    def close(self) -> None:
        """Remove the empty home that rclone was given."""
        self._home.cleanup()

    def _names_a_file(self) -> bool:
        """A folder may hold one file of its own name; `--stat` tells the two apart."""
        with self._start("lsjson", "--stat", "--no-mimetype", self._base) as process:
            out, _ = process.communicate()
        return process.returncode == 0 and not json.loads(out or b"{}").get("IsDir", True)

    def _start(self, *words: str) -> "subprocess.Popen[bytes]":
        env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | self._env
        env |= {"HOME": self._home.name, "RCLONE_CONFIG": "", "RCLONE_CACHE_DIR": self._home.name}
        limits = ("--retries", "1", "--low-level-retries", "1", "--contimeout", f"{self._timeouts.connect_s:g}s")
        return subprocess.Popen(
            [self._program, *words[:1], *limits, "--timeout", f"{self._timeouts.read_s:g}s", *words[1:]],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _failure(self, code: int, said: bytes) -> FairleadError:
        text = _LOG_PREFIX.sub("", said.decode(errors="replace"))
        lines = [line for line in text.splitlines() if line.strip() and 'Config file "" not found' not in line]
        message = f"{self._written}: rclone: {cleaned(lines[-1] if lines else f'exit code {code}', self._secrets)}"
        if code == _TEMPORARY or (code not in _NOT_FOUND and _PASSING.search(message)):
            return StorageUnavailable(message)
        return StorageError(message)


def program(why: str) -> str:
    """The rclone to run: from PATH, or the one the extra installs beside this interpreter."""
    beside = Path(sys.executable).parent / "rclone"
    if found := shutil.which("rclone") or (str(beside) if beside.is_file() else None):
        return found
    raise MissingExtra(library=f"rclone (needed for {why})", extra="rclone")


def _check_restrictions(access: RcloneAccess, *, restricted: bool) -> None:
    if not restricted:
        return
    remote = access.remote
    if remote.type and remote.type.lower() not in _NETWORK_TYPES:
        raise Forbidden(
            f"{remote.variable('TYPE')}: remotes of type {remote.type!r} can read local files, which are restricted"
        )
    for option in remote.options:
        if option.endswith("_FILE"):
            raise Forbidden(f"{remote.variable(option)}: names a local file, and those are restricted")


def _entry(item: dict[str, Any]) -> Entry:
    size, time = int(item["Size"]), str(item.get("ModTime", ""))
    known = time and not time.startswith(_NO_TIME)
    version = f"{time} {item.get('ID', '')} {size}" if known else ""
    return Entry(path=item["Path"], size=size if size >= 0 else None, version=version)
