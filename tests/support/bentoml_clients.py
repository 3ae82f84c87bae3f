"""BentoML of six versions: its command line, and a model and a bento that each of them has made.

An environment and what was made in it are kept under `.peers/`. Nothing here reaches beyond loopback: whatever a client
asks of anywhere else meets a proxy that nobody listens at.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from support.peers import ENVIRONMENTS, ROOT, PeerProcess, environment, peer

VERSIONS = ("1.4.39", "1.3.22", "1.2.20", "1.1.11", "1.0.25", "1.0.22")
_BENTOS = ROOT / "tests" / "fixtures" / "bentos"
_LOGIN = ".yatai.yaml"
_NOWHERE = "http://127.0.0.1:9"


def style_of(version: str) -> str:
    """`new` since 1.2, where a service is a class; `old` before, with runners."""
    return "new" if _number(version) >= (1, 2) else "old"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def packages(version: str) -> list[str]:
    """What an environment for bentos of that version holds beside BentoML itself."""
    lines = (ROOT / "tests" / "peers" / f"bentoml-{version}.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "bentoml=="))]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A home that holds one model and one bento, with their tags. It is shared: copy it before anything is changed."""

    home: Path
    model: str
    bento: str

    def tree(self, tag: str, *, kind: str) -> dict[str, bytes]:
        """The files of a model or a bento (`kind` is `models` or `bentos`)."""
        return tree(self.home, tag, kind=kind)


def tree(home: Path, tag: str, *, kind: str) -> dict[str, bytes]:
    """The files of a model or a bento in a home by their path; copies of models inside a bento are not its own."""
    folder = home / kind / tag.replace(":", "/")
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert found, f"{folder} holds nothing"
    return {name: path.read_bytes() for name, path in found.items() if kind == "models" or name[:7] != "models/"}


def made(version: str) -> Made:
    """The model and the bento of a version; made the first time."""
    python = environment(f"bentoml-{version}")
    home = ENVIRONMENTS / "bentos" / version
    home.parent.mkdir(exist_ok=True)
    with (home.parent / f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = home / "made.json"
        wanted = _digest(version)
        if not stamp.exists() or json.loads(stamp.read_text())["from"] != wanted:
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            stamp.write_text(json.dumps({**_make(python, version, home), "from": wanted}))
    tags = json.loads(stamp.read_text())
    return Made(home=home, model=tags["model"], bento=tags["bento"])


def _make(python: Path, version: str, home: Path) -> dict[str, str]:
    argv = [str(python), str(_BENTOS / "make.py"), style_of(version), *packages(version)]
    done = subprocess.run(argv, env=surroundings(python, home), capture_output=True, text=True, cwd=home)
    assert done.returncode == 0, done.stderr
    tags: dict[str, str] = json.loads(done.stdout)
    return tags


def _digest(version: str) -> str:
    sources = [ROOT / "tests" / "peers" / f"bentoml-{version}.txt", _BENTOS / "make.py"]
    sources.append(_BENTOS / style_of(version) / "service.py")
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


def surroundings(python: Path, home: Path) -> dict[str, str]:
    """The environment of a BentoML process: a home of its own, no reports of use, and nothing beyond loopback."""
    return {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
        "PYTHONWARNINGS": "ignore",
        "HTTP_PROXY": _NOWHERE,
        "HTTPS_PROXY": _NOWHERE,
        "ALL_PROXY": _NOWHERE,
        "NO_PROXY": "127.0.0.1,localhost",
        # What a client prints is folded to this.
        "COLUMNS": "300",
    }


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command printed on both its streams, and its exit code."""

    code: int
    out: str


class Running:
    """A command that has begun."""

    def __init__(self, process: PeerProcess, number: int) -> None:
        self._process = process
        self._number = number

    def wait(self) -> Said:
        return Said(**self._process.ask(do="wait", number=self._number))

    def kill(self) -> Said:
        """End it there and then."""
        self._process.ask(do="kill", number=self._number)
        return self.wait()


class Bentoml:
    """`bentoml` of one version with a home of its own."""

    def __init__(self, version: str, process: PeerProcess, home: Path) -> None:
        self.version = version
        self.home = home
        self._process = process
        self._python = environment(f"bentoml-{version}")

    def __call__(self, *argv: str, **env: str) -> Said:
        """One command to its end."""
        return self.start(*argv, **env).wait()

    def start(self, *argv: str, **env: str) -> Running:
        """A command that goes on while the test does."""
        surrounding = {**surroundings(self._python, self.home), **env}
        number = self._process.ask(do="start", argv=argv, env=surrounding, cwd=str(self.home))
        return Running(self._process, number)

    def at(self, home: Path) -> "Bentoml":
        """The same command with another home."""
        home.mkdir(parents=True, exist_ok=True)
        return Bentoml(self.version, self._process, home)

    def elsewhere(self, home: Path) -> "Bentoml":
        """The same command, logged in to the same registry, with a home that holds nothing else."""
        other = self.at(home)
        (home / _LOGIN).write_bytes((self.home / _LOGIN).read_bytes())
        return other

    def login(self, url: str, token: str) -> Said:
        """`bentoml cloud login`; `bentoml yatai login` where there was no cloud yet."""
        group = "cloud" if _number(self.version) >= (1, 0, 25) else "yatai"
        return self(group, "login", "--endpoint", url, "--api-token", token)

    def has(self, version: str) -> bool:
        """Whether it is of that version or a later one."""
        return _number(self.version) >= _number(version)


@contextlib.contextmanager
def bentoml(version: str, home: Path) -> Iterator[Bentoml]:
    """The command of a version; its home is a copy of what was made with it."""
    source = made(version)
    shutil.copytree(source.home, home, dirs_exist_ok=True)
    with peer(f"bentoml-{version}", "bentoml_driver") as process:
        yield Bentoml(version, process, home)


def logging_in(processes: Callable[[str], Bentoml], url: str, token: str) -> Callable[[str], Bentoml]:
    """Gives the commands of versions, logged in once each to a registry."""
    known: dict[str, Bentoml] = {}

    def client(version: str) -> Bentoml:
        if version not in known:
            known[version] = processes(version)
            said = known[version].login(url, token)
            assert said.code == 0, said.out
        return known[version]

    return client
