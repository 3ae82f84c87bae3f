"""What goes into an environment: what the model asks for, and what a worker of ours needs to serve it there.

Two kinds. A *layer* holds only what is missing here, and sees everything that is installed here behind it; that is
enough when nothing the model asks for, nor anything that needs in turn, is installed here in another version.
Otherwise the environment is *whole*: it sees nothing of ours but this package, because a library of ours that was
built for another version of numpy, say, is found by a library that merely looks whether it is there.
"""

import sys
import sysconfig
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path

import fairlead
from fairlead.runtimes.registry import extra_of
from fairlead.runtimes.requirements import name_of, parsed

# Everything else that this package depends on may be needed by a worker.
_CONTROL_ONLY = frozenset(
    {
        "aiohttp",
        "aiosqlite",
        "alembic",
        "argon2-cffi",
        "cyclopts",
        "jinja2",
        "obstore",
        "pydantic",
        "rich",
        "sqlalchemy",
        "starlette",
        "uvicorn",
    }
)
# What the model's own versions come first of: any release of these serves.
_ANY_RELEASE = frozenset(("numpy", "pyyaml", "packaging"))
_SIDE_EXTRAS = ("grpc", "kafka", "parquet", "tracing")
"""Extras a worker may be asked for by the manifest whatever the model is; they are installed when they are here."""


def worker_needs(runtime: str) -> list[str]:
    """Requirements of a worker that serves `runtime`. The runtime's own libraries have no versions here: the
    model says which."""
    needs = [text for text, extra in _requires() if not extra and _is_workers(text)]
    wanted = extra_of(runtime)
    libraries = [_bare(text) for text, extra in _requires() if extra == wanted and wanted]
    sides = [text for text, extra in _requires() if extra in _SIDE_EXTRAS and _is_here(text)]
    return [_bare(text) if _name(text) in _ANY_RELEASE else text for text in needs] + libraries + sides


@cache
def installed() -> dict[str, str]:
    """Every distribution here with its version."""
    found: dict[str, str] = {}
    for one in distributions():
        requirement = parsed(one.name or "")
        if requirement is not None:
            found.setdefault(name_of(requirement), one.version)
    return found


def differing(pins: Iterable[str]) -> list[str]:
    """Those of the pins that are here in another version."""
    here = installed()
    return [pin for pin in pins if _name(pin) in here and not _is_at(pin, here[_name(pin)])]


def missing(pins: Iterable[str]) -> list[str]:
    """Those of the pins that are not here."""
    return [pin for pin in pins if _name(pin) not in installed()]


def see_everything(site: Path) -> None:
    """Let an environment find what is installed here, after what is in it."""
    (site / "fairlead-behind.pth").write_text("".join(f"{path}\n" for path in _own_paths()))


def see_fairlead(site: Path) -> None:
    """Let an environment find this package and nothing beside it."""
    package = Path(fairlead.__file__ or "").parent
    (site / package.name).symlink_to(package, target_is_directory=True)
    try:
        record = Path(str(distribution("fairlead").locate_file(""))) / f"fairlead-{version()}.dist-info"
    except PackageNotFoundError:
        return
    if record.is_dir():
        (site / record.name).symlink_to(record, target_is_directory=True)


def version() -> str:
    """Ours."""
    try:
        return distribution("fairlead").version
    except PackageNotFoundError:
        return "0"


def _own_paths() -> list[str]:
    """Where modules are found here, without the standard library and the current folder."""
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    standard |= {f"{path}/lib-dynload" for path in standard}
    package = str(Path(fairlead.__file__ or "").parents[1])
    found = [path for path in sys.path if Path(path).is_absolute() and Path(path).is_dir() and path not in standard]
    return list(dict.fromkeys((*(path for path in found if Path(path) != Path.cwd()), package)))


@cache
def _requires() -> tuple[tuple[str, str], ...]:
    """What this package depends on here, with the extra that asks for it."""
    try:
        lines = distribution("fairlead").requires or []
    except PackageNotFoundError:
        return ()
    extras = distribution("fairlead").metadata.get_all("Provides-Extra") or []
    found = []
    for line in lines:
        requirement = parsed(line)
        if requirement is None or requirement.name == "fairlead":
            continue
        text = f"{requirement.name}{requirement.specifier}"
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found.append((text, ""))
            continue
        found += [(text, extra) for extra in extras if requirement.marker.evaluate({"extra": extra})]
    return tuple(found)


def _is_workers(text: str) -> bool:
    return _name(text) not in _CONTROL_ONLY


def _is_here(text: str) -> bool:
    return _name(text) in installed()


def _name(text: str) -> str:
    requirement = parsed(text)
    return name_of(requirement) if requirement is not None else ""


def _bare(text: str) -> str:
    return _name(text)


def _is_at(pin: str, installed_at: str) -> bool:
    requirement = parsed(pin)
    return requirement is not None and not requirement.url and requirement.specifier.contains(installed_at, True)
