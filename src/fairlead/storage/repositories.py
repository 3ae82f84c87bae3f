"""Git repositories behind https URLs that end in `.git`, by the git program.

Only the last commit of the default branch is fetched, and its files only when the listing is new. git gets no
configuration but ours: no hooks, no helpers, no protocols besides http and https, no redirects (which would take the
login along), and the login in its environment rather than on its command line.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from fairlead.errors import FairleadError, StorageError, StorageUnavailable
from fairlead.storage.clouds.layer import Timeouts, first
from fairlead.storage.redaction import cleaned
from fairlead.storage.source import Entry, checked
from fairlead.storage.uris import GitUri

_CHUNK_BYTES = 1024 * 1024
_FILE, _PROGRAM, _LINK = "100644", "100755", "120000"
_LOOK_EVERY_S = 0.3
_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"
_PASSED_ON = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")
_PASSING = (
    "Could not resolve host", "Failed to connect", "Connection refused", "Connection reset", "timed out",
    "Operation too slow", "early EOF", "unexpected disconnect", "returned error: 5", "returned error: 429",
    "Empty reply", "HTTP 5",
)  # fmt: skip
VARIABLES = ("GIT_USERNAME", "GIT_PASSWORD")


class GitSource:
    """The files of the default branch."""

    def __init__(
        self,
        uri: GitUri,
        env: Mapping[str, str],
        *,
        timeouts: Timeouts,
        secrets: tuple[str, ...],
        should_stop: Callable[[], bool],
    ) -> None:
        user, password = first(env, "GIT_USERNAME"), first(env, "GIT_PASSWORD")
        self.name = uri.url
        self.identity = f"{self.name} git {hashlib.sha256(f'{user}:{password}'.encode()).hexdigest()}"
        login = base64.b64encode(f"{user}:{password}".encode()).decode() if user or password else ""
        self._login = login
        self._timeouts = timeouts
        self._should_stop = should_stop
        self._secrets = (*secrets, *(secret for secret in (login, password) if secret))
        self._program = _git()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._checked_out = threading.Lock()
        self._has_files = False

    def entries(self) -> Sequence[Entry]:
        """Every file of the last commit; sizes are known when the files are."""
        self.close()
        self._folder = tempfile.TemporaryDirectory(prefix="fairlead-git-")
        clone = ("clone", "--quiet", "--depth", "1", "--filter=blob:none", "--no-checkout", "--template=")
        self._run(*clone, "--", self.name, str(self._tree))
        listed = self._run("-C", str(self._tree), "ls-tree", "-r", "-z", "HEAD").split("\0")
        commit = self._run("-C", str(self._tree), "rev-parse", "HEAD").strip()
        found = [_entry(line, commit) for line in listed if line]
        return checked(self.name, [entry for entry in found if entry is not None])

    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:
        """The file as git checks it out."""
        self._check_out()
        real = Path(os.path.realpath(self._tree / entry.path))
        if not real.is_relative_to(os.path.realpath(self._tree)) or ".git" in real.parts:
            raise StorageError(f"{self.name}: refused: {entry.path!r} is a link out of the repository")
        if not real.is_file():
            raise StorageError(f"{self.name}: refused: {entry.path!r} is a link to something that is not a file")
        with real.open("rb") as file:
            if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
                raise StorageError(
                    f"{self.name}: {entry.path} is kept in Git LFS, which git does not fetch here; install git-lfs"
                )
            file.seek(offset)
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    def clone(self, entry: Entry, target: Path) -> bool:  # noqa: ARG002 - the protocol's signature
        """A working tree is copied: it goes away."""
        return False

    def close(self) -> None:
        """Remove the working tree."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
            self._has_files = False

    @property
    def _tree(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / "tree"

    def _check_out(self) -> None:
        with self._checked_out:
            if not self._has_files:
                self._run("-C", str(self._tree), "checkout", "--quiet", "--force", "HEAD")
                self._has_files = True

    def _run(self, *words: str) -> str:
        with subprocess.Popen(
            [self._program, *words],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                out, said = self._outcome(process)
            finally:
                if process.poll() is None:
                    process.terminate()
        if process.returncode:
            raise self._failure(said.decode(errors="replace"), process.returncode)
        return out.decode(errors="surrogateescape")

    def _outcome(self, process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
        """What git wrote, once it has ended; nobody who wants to stop waits for a large repository."""
        while True:
            try:
                return process.communicate(timeout=_LOOK_EVERY_S)
            except subprocess.TimeoutExpired:
                if self._should_stop():
                    raise StorageUnavailable(f"{self.name}: the transfer was stopped") from None

    def _environment(self) -> dict[str, str]:
        settings = {
            "credential.helper": "",
            "core.hooksPath": "/dev/null",
            "http.followRedirects": "false",
            "http.lowSpeedLimit": "1",
            "http.lowSpeedTime": str(max(1, int(self._timeouts.read_s))),
            "protocol.allow": "never",
            "protocol.http.allow": "always",
            "protocol.https.allow": "always",
            "advice.detachedHead": "false",
        }
        if self._login:
            # For this origin only: a repository may name another server for its large files.
            parts = urlsplit(self.name)
            settings[f"http.{parts.scheme}://{parts.netloc}/.extraHeader"] = f"Authorization: Basic {self._login}"
        if shutil.which("git-lfs"):
            settings |= {"filter.lfs.process": "git-lfs filter-process", "filter.lfs.smudge": "git-lfs smudge -- %f"}
            settings |= {"filter.lfs.required": "true"}
        env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        env |= {"HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
        env |= {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_COUNT": str(len(settings))}
        for index, (name, value) in enumerate(settings.items()):
            env |= {f"GIT_CONFIG_KEY_{index}": name, f"GIT_CONFIG_VALUE_{index}": value}
        return env

    def _failure(self, said: str, code: int) -> FairleadError:
        lines = [line.removeprefix("fatal: ") for line in said.splitlines() if line.strip()]
        told = next((line for line in reversed(lines) if "fatal: " + line in said), lines[-1] if lines else "")
        message = f"{self.name}: git: {cleaned(told or f'exit code {code}', self._secrets)}"
        if "could not read Username" in said or "Authentication failed" in said:
            what = "GIT_USERNAME and GIT_PASSWORD were refused" if self._login else "it asks for a login"
            return StorageError(f"{message} ({what}: set GIT_USERNAME and GIT_PASSWORD in the Secret)")
        if "redirect" in said or "returned error: 30" in said:
            return StorageError(f"{message} (redirects are not followed; name the URL it leads to)")
        if any(sign in said for sign in _PASSING):
            return StorageUnavailable(message)
        return StorageError(message)


def _entry(line: str, commit: str) -> Entry | None:
    """One line of `ls-tree`. Of submodules there is nothing to fetch."""
    about, _, path = line.partition("\t")
    mode, _, blob = about.split(" ")
    if mode not in (_FILE, _PROGRAM, _LINK):
        return None
    # What a link leads to may change while the link does not.
    return Entry(path=path, size=None, version=f"{blob}-{commit}" if mode == _LINK else blob)


def _git() -> str:
    if found := shutil.which("git"):
        return found
    raise StorageError("git repositories need the git program, which is not installed")
