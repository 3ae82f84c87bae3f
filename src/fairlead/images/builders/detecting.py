"""Finds a builder that works here: BuildKit first, then Docker, then buildah. Each is asked, not only looked for: a
client without its daemon builds nothing."""

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from fairlead.errors import ConfigError
from fairlead.images.builders.base import Builder
from fairlead.images.builders.buildah import Buildah
from fairlead.images.builders.buildctl import DAEMONLESS, Buildctl
from fairlead.images.builders.docker import Docker, Way
from fairlead.images.builders.process import Program
from fairlead.images.failures import NoBuilder

_ASKING_S = 20.0
_FIRST_WITHOUT_OWN_BUILDKIT = 23
NAMES = ("buildkit", "docker", "buildah")


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Why a builder cannot be used."""

    why: str


async def find_builder(environ: Mapping[str, str], *, wanted: str = "", is_pushed: bool = True) -> Builder:
    """The first builder that works, or the `wanted` one. Raises `NoBuilder` saying what is missing of each, and
    `ConfigError` for a name that none has."""
    if wanted and wanted not in NAMES:
        raise ConfigError(f"builder {wanted!r}: there are {', '.join(NAMES)}")
    reasons = []
    for name, ask in _ASKED:
        if wanted in ("", name):
            found = await ask(environ, is_pushed)
            if not isinstance(found, Absent):
                return found
            reasons.append(f"{name}: {found.why}")
    raise NoBuilder(f"no builder of images works here ({'; '.join(reasons)})")


async def _buildkit(environ: Mapping[str, str], is_pushed: bool) -> Builder | Absent:
    is_daemonless = _has(DAEMONLESS, environ) and not environ.get("BUILDKIT_HOST")
    if _has("buildctl", environ) and not is_daemonless:
        code, _ = await _asked(environ, "buildctl", "debug", "workers")
        if code == 0 and is_pushed:
            return Buildctl(environ=environ)
        why = "no buildkitd answers (BUILDKIT_HOST)" if code else "buildctl keeps no images here; it can only push"
    elif is_daemonless and is_pushed:
        return Buildctl(environ=environ, program=DAEMONLESS)
    else:
        why = "no buildctl"
    if not _has("docker", environ):
        return Absent(why=f"{why}, and no docker with Buildx")
    code, told = await _asked(environ, "docker", "buildx", "inspect")
    if code:
        return Absent(why=f"{why}, and no docker with Buildx whose builder answers")
    driver = re.search(r"^Driver:\s*(\S+)", told, re.MULTILINE)
    # Inspecting says nothing of whether Docker's daemon is there.
    if driver is not None and driver[1] == "docker":
        if (await _daemon(environ))[0]:
            return Absent(why=f"{why}, and no Docker daemon answers")
        return Docker(way=Way.BUILDX, environ=environ)
    return Docker(way=Way.ELSEWHERE, environ=environ)


async def _docker(environ: Mapping[str, str], _is_pushed: bool) -> Builder | Absent:
    if not _has("docker", environ):
        return Absent(why="not installed")
    code, told = await _daemon(environ)
    if code:
        return Absent(why="no daemon answers (DOCKER_HOST)")
    major = told.partition(".")[0]
    is_old = major.isdecimal() and int(major) < _FIRST_WITHOUT_OWN_BUILDKIT
    return Docker(way=Way.INSIDE if is_old else Way.CLASSIC, environ=environ)


async def _buildah(environ: Mapping[str, str], _is_pushed: bool) -> Builder | Absent:
    if not _has("buildah", environ):
        return Absent(why="not installed (Debian's package of that name)")
    return Buildah(environ=environ)


async def _daemon(environ: Mapping[str, str]) -> tuple[int, str]:
    """Whether Docker's daemon answers, and the version of the client."""
    code, told = await _asked(environ, "docker", "version", "--format", "{{.Client.Version}} {{.Server.Version}}")
    return code, told


async def _asked(environ: Mapping[str, str], *argv: str) -> tuple[int, str]:
    lines: list[str] = []
    try:
        async with asyncio.timeout(_ASKING_S):
            code = await Program(env=environ).run(argv, lines.append)
    except (TimeoutError, NoBuilder):
        return 1, ""
    return code, "\n".join(lines)


def _has(program: str, environ: Mapping[str, str]) -> bool:
    return shutil.which(program, path=environ.get("PATH")) is not None


_Ask = Callable[[Mapping[str, str], bool], Awaitable[Builder | Absent]]
_ASKED: Sequence[tuple[str, _Ask]] = (("buildkit", _buildkit), ("docker", _docker), ("buildah", _buildah))
