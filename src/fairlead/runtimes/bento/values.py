"""What a bento says of itself, as values: the same for every BentoML from 1.0 to 1.4."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairlead.plan.bentos import BentoFacts, BentoStyle, RunnerFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A runner of an old-style bento. One that `is_embedded` runs inside the API server."""

    name: str
    type: str = ""
    models: tuple[str, ...] = ()
    is_embedded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service of a new-style bento, with its configuration as its code has it. `dependencies` are other services of
    the same bento."""

    name: str
    models: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One thing that clients may ask for, by POST at its route."""

    name: str
    route: str
    is_task: bool = False
    is_stream: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What the bento's image is made of besides its files. `commands` run while it is built, before and after the
    Python packages are there."""

    base: str = ""
    distro: str = ""
    cuda: str = ""
    system_packages: tuple[str, ...] = ()
    setup_script: str = ""
    commands: tuple[str, ...] = ()
    has_template: bool = False
    conda: tuple[str, ...] = ()
    """What conda would install itself, empty without conda."""
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """How the bento asks for Python packages besides its files under `env/python`. `options` are lines of pip's,
    `conda` what conda would have pip install."""

    python_version: str = ""
    """As recorded, a minor version; empty when nothing is."""
    requirements: str = ""
    """The locked list where the description has it; the files count before it."""
    options: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A bento. `services` begin with the entry service; `models` are tags, those of all services and runners."""

    name: str
    version: str
    service: str
    bentoml_version: str
    style: BentoStyle
    created_at: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    models: tuple[str, ...] = ()
    runners: tuple[Runner, ...] = ()
    services: tuple[Service, ...] = ()
    apis: tuple[Api, ...] = ()
    envs: tuple[tuple[str, str], ...] = ()
    """Variables that its code wants; those without a value must be given."""
    image: Image = field(default_factory=Image)
    packages: Packages = field(default_factory=Packages)

    @property
    def tag(self) -> str:
        """`name:version`."""
        return f"{self.name}:{self.version}"

    @property
    def entry(self) -> Service | None:
        """The service that requests come to, of a new-style bento."""
        return self.services[0] if self.services else None

    @property
    def bentoml(self) -> tuple[int, ...]:
        """The BentoML that built it, as numbers; what is no number ends them."""
        numbers = []
        for part in self.bentoml_version.split("."):
            digits = part[: len(part) - len(part.lstrip("0123456789"))]
            if not digits:
                break
            numbers.append(int(digits))
        return tuple(numbers)

    def facts(self, folder: Path) -> BentoFacts:
        """What a plan's status says of it when it lies in `folder`: its models are those that it does not bring."""
        return BentoFacts(
            style=self.style,
            service=self.service,
            bentoml_version=self.bentoml_version,
            python_version=self.packages.python_version,
            runners=tuple(RunnerFacts(name=one.name, type=one.type, models=one.models) for one in self.runners),
            services=tuple(one.name for one in self.services),
            models=tuple(tag for tag in self.models if not (folder / "models" / tag.replace(":", "/")).is_dir()),
        )
