"""A private PostgreSQL server of the distribution's, on a Unix socket in a folder of the test's, gone with the test."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

_PACKAGED = Path("/usr/lib/postgresql")


def missing() -> str:
    """Why no server can be started here; empty when one can."""
    if _program("initdb") is None:
        return "not run: no PostgreSQL here (Debian's package postgresql)"
    if os.geteuid() == 0 and _owner() is None:
        return "not run: PostgreSQL does not run as root, and there is no user postgres"
    return ""


@dataclass
class Postgres:
    """One server. Every call of `url` makes a database of its own."""

    sockets: Path
    _names: Iterator[int] = field(default_factory=count)

    def url(self, *, name: str = "", template: str = "template0") -> str:
        """The address of a new database, like `template`: an empty one, unless it names another."""
        name = name or f"registry_{next(self._names)}"
        _run([str(_program("createdb")), "-h", str(self.sockets), "-U", "postgres", "-T", template, name])
        return f"postgresql://postgres@/{name}?host={self.sockets}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a server; nothing it writes is meant to survive, so it waits for no disk."""
    # A Unix socket's path is short, which pytest's folders are not.
    folder = Path(tempfile.mkdtemp(prefix="fairlead-pg-"))
    data = folder / "data"
    if owner := _owner():
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    try:
        _run([str(_program("initdb")), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"])
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=60 -c shared_buffers=16MB"
        control = [str(_program("pg_ctl")), "-D", str(data), "-w", "-l", str(folder / "log")]
        _run([*control, "-o", options, "start"])
        try:
            yield Postgres(folder)
        finally:
            _run([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> Path | None:
    newest = sorted(_PACKAGED.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]), reverse=True)
    found = newest[0] if newest else shutil.which(name)
    return Path(found) if found else None


def _owner() -> pwd.struct_passwd | None:
    """Who the server runs as: postgres for root, whom it refuses."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def _run(command: list[str]) -> None:
    owner = _owner()
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd="/",
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout
