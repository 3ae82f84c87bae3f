"""One build: from a list to a folder with a Python in it that can start a worker."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fairlead.environments import contents
from fairlead.environments.failures import EnvironmentFailed
from fairlead.environments.mode import Mode
from fairlead.environments.uv import Say, Stop, Uv
from fairlead.runtimes.bento import pages
from fairlead.runtimes.requirements import Wanted, name_of, parsed

OUR_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
RECORD = "environment.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to build. `python` is a path or a version that uv finds; `requirements` are `wanted`'s without what a worker
    brings itself."""

    wanted: Wanted
    requirements: tuple[str, ...]
    python: str
    runtime: str
    mode: Mode

    @property
    def may_be_layer(self) -> bool:
        """Whether what is installed here may serve it."""
        return self.mode is Mode.AUTO and self.python == sys.executable and not self.wanted.apart


class Build:
    """Carries out one order in `making`, an empty folder; the environment is `making / "env"`."""

    def __init__(
        self,
        order: Order,
        making: Path,
        uv: Uv,
        *,
        environ: Mapping[str, str],
        may_compile: bool,
        say: Say,
        stop: Stop,
    ) -> None:
        self._order, self._making, self._uv, self._environ = order, making, uv, environ
        self._only_wheels = () if may_compile else ("--only-binary", ":all:")
        self._say, self._stop = say, stop

    def run(self) -> Path:
        """The finished environment, with its record."""
        order, folder = self._order, self._making / "env"
        if order.python == sys.executable and order.wanted.python not in ("", OUR_PYTHON):
            self._say(f"saved with Python {order.wanted.python}, which is not here; Python {OUR_PYTHON} serves it")
        chosen, is_layer = self._chosen()
        self._say(f"installing {len(chosen)} package{'' if len(chosen) == 1 else 's'}")
        self._install(chosen)
        (site,) = folder.glob("lib/python*/site-packages")
        if order.wanted.apart:
            pages.keep_to_themselves(site)
        else:
            contents.see_everything(site) if is_layer else contents.see_fairlead(site)
        self._try(folder)
        record = {"source": order.wanted.source, "packages": sorted(chosen), "bytes": _tree_bytes(folder)}
        (folder / RECORD).write_text(json.dumps(record, indent=1))
        return folder

    def _chosen(self) -> tuple[list[str], bool]:
        """What to install, and whether it goes over what is here."""
        if self._order.may_be_layer:
            pins = self._resolve(self._order.requirements)
            if not contents.differing(pins):
                return contents.missing(pins), True
        needs = [] if self._order.wanted.apart else contents.worker_needs(self._order.runtime)
        return self._resolve((*self._order.requirements, *needs)), False

    def _resolve(self, requirements: tuple[str, ...]) -> list[str]:
        """Exact versions of these and of all they need; those that are here where they fit."""
        asked, pinned = self._making / "requirements.in", self._making / "requirements.txt"
        asked.write_text("\n".join([*self._order.wanted.options, *requirements]) + "\n")
        # What is in the output file already is preferred.
        here = {} if self._order.wanted.apart else contents.installed()
        pinned.write_text("".join(f"{name}=={version}\n" for name, version in sorted(here.items())))
        options = ["--python", self._order.python, "--no-header", "--no-annotate", *self._only_wheels]
        options += [*self._constraints(), *self._without_nccl()]
        try:
            self._uv.run(
                ["pip", "compile", str(asked), "-o", str(pinned), *options],
                cwd=self._making,
                say=self._say,
                stop=self._stop,
            )
        except EnvironmentFailed as error:
            raise EnvironmentFailed(f"{error}{self._hint()}") from error
        lines = (line.strip() for line in pinned.read_text().splitlines())
        return [line for line in lines if line and not line.startswith(("-", "#"))]

    def _install(self, pins: list[str]) -> None:
        self._uv.run(
            ["venv", "--relocatable", "--no-project", "--python", self._order.python, "env"],
            cwd=self._making,
            say=self._say,
            stop=self._stop,
        )
        if not pins:
            return
        hashes = _hashes(self._order.wanted)
        lines = [f"{pin} {hashes.get(_name_in(pin), '')}".rstrip() for pin in pins]
        chosen = self._making / "chosen.txt"
        chosen.write_text("\n".join([*self._order.wanted.options, *lines]) + "\n")
        # Nothing is compiled to bytecode ahead: of 56 packages it took 9 s, and the first import of those that are
        # used less than one.
        self._uv.run(
            ["pip", "install", "--python", "env/bin/python", "--no-deps", "-r", str(chosen), *self._only_wheels],
            cwd=self._making,
            say=self._say,
            stop=self._stop,
        )

    def _try(self, folder: Path) -> None:
        """A worker that cannot even be imported is told here, not by each replica. What was installed may run code of
        its own when Python starts, so it sees no index settings, which may hold passwords."""
        module = self._order.wanted.apart or "fairlead.dataplane.worker"
        argv = [str(folder / "bin" / "python"), "-c", f"import {module}"]
        env = {name: self._environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in self._environ}
        done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            what = self._order.wanted.apart or "a worker"
            raise EnvironmentFailed(f"{what} does not start with these versions: {self._uv.cleaned(last)}")

    def _constraints(self) -> tuple[str, ...]:
        if not self._order.wanted.constraints:
            return ()
        path = self._making / "constraints.txt"
        path.write_text("\n".join(self._order.wanted.constraints) + "\n")
        return ("--constraint", str(path))

    def _without_nccl(self) -> tuple[str, ...]:
        """xgboost's wheels bring 300 MB for training on several GPUs, which it loads only then."""
        names = {_name_in(line) for line in self._order.requirements}
        if "xgboost" not in names or "torch" in names:
            return ()
        path = self._making / "overrides.txt"
        path.write_text("nvidia-nccl-cu12 ; python_version < '3'\n")
        return ("--override", str(path))

    def _hint(self) -> str:
        saved_with = self._order.wanted.python
        return (
            f" (Python {OUR_PYTHON}; the model was saved with {saved_with})"
            if saved_with not in ("", OUR_PYTHON)
            else ""
        )


def _hashes(wanted: Wanted) -> dict[str, str]:
    """What the model's list says its files must be, by name."""
    split = (line.partition(" --hash") for line in wanted.requirements)
    return {_name_in(name): mark.strip() + rest for name, mark, rest in split if mark}


def _name_in(line: str) -> str:
    requirement = parsed(line)
    return name_of(requirement) if requirement is not None else ""


def _tree_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))
