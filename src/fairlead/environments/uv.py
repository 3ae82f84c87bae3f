"""Runs uv: finds it, hands it the index settings people already have, passes its progress on and reads its failures.

uv gets no other part of our environment, and what it says goes through `cleaned` before anybody sees it: index URLs
often hold a password.
"""

import re
import selectors
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from fairlead.environments.failures import EnvironmentFailed, IndexUnavailable
from fairlead.runtimes.parameters import is_true
from fairlead.storage.redaction import cleaned, secrets_of

Say = Callable[[str], None]
Stop = Callable[[], bool]

_PASSED = re.compile(
    r"UV_.*|HOME|PATH|TMPDIR|USER|LANG|LC_.*|XDG_.*|NETRC|SSL_CERT_(FILE|DIR)|(HTTPS?|ALL|NO)_PROXY", re.IGNORECASE
)
# uv reads pip's settings under names of its own.
_PIP_NAMES = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_CERT": "SSL_CERT_FILE",
    "PIP_CONSTRAINT": "UV_CONSTRAINT",
}
_UNREACHABLE = re.compile(
    r"error sending request|failed to fetch|dns error|timed out|connection (refused|reset)|request failed|"
    r"network connectivity",
    re.IGNORECASE,
)
_PROGRESS = re.compile(r"\s*(Resolved|Prepared|Installed|Downloading|Downloaded|Building|Built) ")
_FULL = re.compile(r"no space left on device|\(os error (28|122)\)", re.IGNORECASE)
_LOOK_EVERY_S = 0.2
_KEPT_LINES = 200


class Uv:
    """One uv, with the settings of one installation."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._secrets = secrets_of(environ)

    def run(self, arguments: Sequence[str], *, cwd: Path, say: Say, stop: Stop) -> None:
        """Run `uv ARGUMENTS`. `say` gets the lines that tell how far it is. Raises `EnvironmentFailed` or
        `IndexUnavailable` with uv's own reason."""
        argv = [*_uv(self._environ), "--no-progress", "--color", "never", *arguments]
        if arguments[0] == "pip" and is_true(self._environ.get("PIP_NO_INDEX", "")):
            argv.append("--no-index")  # for which uv has no variable
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment_for(self._environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        lines: list[str] = []

        def heard(line: str) -> None:
            lines.append(line)
            del lines[:-_KEPT_LINES]
            if _PROGRESS.match(line):
                say(self.cleaned(line))

        with process:
            try:
                _follow(process, heard, stop)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise self._failure(process.returncode, lines)

    def finds_python(self, version: str, *, cwd: Path) -> bool:
        """Whether this machine has that Python; none is downloaded."""
        argv = [*_uv(self._environ), "python", "find", "--no-project", version]
        env = environment_for(self._environ)
        return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, check=False, timeout=60).returncode == 0

    def cleaned(self, text: str) -> str:
        """The text without anything secret."""
        return cleaned(text, self._secrets)

    def _failure(self, code: int, lines: Sequence[str]) -> EnvironmentFailed | IndexUnavailable:
        if code < 0:
            return IndexUnavailable(f"uv was ended by signal {-code}")
        told = _reason(lines) or f"uv ended with exit code {code}"
        everything = "\n".join(lines)
        if _FULL.search(everything):
            return EnvironmentFailed("there is no room on the disk for the environment; free some and it goes on")
        if _UNREACHABLE.search(everything):
            return IndexUnavailable(f"the package index cannot be reached: {self.cleaned(told)}")
        return EnvironmentFailed(self.cleaned(told))


def environment_for(environ: Mapping[str, str]) -> dict[str, str]:
    """What uv and what it starts may see of an environment: places and index settings, pip's under uv's names."""
    kept = {name: value for name, value in environ.items() if _PASSED.fullmatch(name)}
    for name, own in _PIP_NAMES.items():
        if environ.get(name):
            # pip has blanks between several folders of wheels, uv has commas.
            value = ",".join(environ[name].split()) if name == "PIP_FIND_LINKS" else environ[name]
            kept.setdefault(own, value)
    # Nothing of an environment that happens to be active, and no interpreter from the network.
    return {**kept, "UV_PYTHON_DOWNLOADS": "never"}


def _uv(environ: Mapping[str, str]) -> list[str]:
    found = shutil.which("uv", path=environ.get("PATH"))
    if found is not None:
        return [found]
    if find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    raise EnvironmentFailed("environments are built with uv, which is not installed; run: pip install uv")


def _follow(process: "subprocess.Popen[bytes]", heard: Say, stop: Stop) -> None:
    assert process.stderr is not None
    held = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stderr, selectors.EVENT_READ)
        while True:
            if stop():
                raise IndexUnavailable("nobody waits for the environment any more")
            if not selector.select(_LOOK_EVERY_S):
                continue
            part = process.stderr.read1(1 << 16)  # type: ignore[attr-defined]  # a pipe is a BufferedReader
            if not part:
                break
            *whole, held = (held + part).split(b"\n")
            for line in whole:
                if line.strip():
                    heard(line.decode("utf-8", "replace").rstrip())
    process.wait()


def _reason(lines: Sequence[str]) -> str:
    """uv's error and the last cause under it, which says which requirement it was."""
    start = next((number for number, line in enumerate(lines) if re.match(r"\s*(error:|×|x )", line)), None)
    if start is None:
        return lines[-1].strip() if lines else ""
    marks = re.compile(r"^\s*(?:error|cause|Caused by|hint)?:?\s*[×├╰─▶│]*\s*")
    causes: list[str] = []
    for line in lines[start:]:
        if re.match(r"\s*hint:", line):
            break
        text = marks.sub("", line).strip()
        if causes and not re.match(r"\s*(error:|cause:|Caused by|[×├╰]|[-─]+▶)", line):
            causes[-1] += f" {text}"
        elif text:
            causes.append(text)
    if len(causes) > 1 and causes[0].startswith("No solution found"):
        del causes[0]  # which only says that what follows is so
    return ": ".join(dict.fromkeys((causes[0], causes[-1]))) if causes else ""
