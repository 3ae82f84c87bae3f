"""What a model says it needs to run: requirements.txt, MLflow's lists and conda's, and whether it is here already.

Reads files and asks what is installed; it installs nothing (`fairlead.environments` does) and imports no library.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fairlead.errors import Permanent
from fairlead.runtimes.conda_names import is_part_of_python, pip_requirement
from fairlead.runtimes.libraries import installed_version

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKED = "environment.tar.gz"
"""What conda-pack writes and MLServer unpacks."""

# The model's list names distributions; some of them come under another name with the same module.
_SUBSTITUTES = {"mlflow": "mlflow-skinny", "xgboost": "xgboost-cpu", "tensorflow": "tensorflow-cpu"}
_OURS = frozenset(("fairlead", "kserve", "mlserver", "seldon-core"))
"""What a worker brings itself: `import seldon_core` finds our stand-in when the package is not installed."""
_REPLACEABLE = frozenset(("kserve",))
"""Those whose real package goes along with a worker's own libraries."""

_INDEX_OPTIONS = ("--index-url", "--extra-index-url", "--find-links", "--no-index")
_SHORT = {"-i": "--index-url", "-f": "--find-links", "-r": "--requirement", "-c": "--constraint", "-e": "--editable"}
_OPTION = re.compile(r"(-+[\w-]*)[=\s]*(.*)")
_HASH = re.compile(r"\s--hash[= ]\S+")
# A name with something behind it that was meant to be a version; paths and addresses look otherwise.
_NAMED = re.compile(r"([A-Za-z0-9][\w.-]*?)\s*[\[(=<>!~;,\s].*")


class BadRequirements(Permanent):
    """A list of requirements that cannot be used."""

    http, reason = 422, "EnvironmentFailed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a model asks for. `requirements` are as written, one each; `options` are the lines that say where they
    come from; `python` is a minor version or empty; `ignored` is what was listed and cannot be followed. `apart` is for
    what brings its own server: the module that must import in an environment which holds nothing of ours."""

    source: str
    requirements: tuple[str, ...]
    options: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    python: str = ""
    ignored: tuple[str, ...] = ()
    apart: str = ""


def wanted_by(folder: Path | None, code: Path | None = None) -> Wanted | None:
    """What the model in `folder` and the user's code in `code` ask for, `None` for nothing. A packed environment
    without a list is refused."""
    asked = [found for found in (_of_model(folder), _of_file(code)) if found is not None]
    if not asked:
        if folder is not None and (folder / PACKED).is_file():
            raise BadRequirements(
                f"{PACKED} is a packed conda environment, which is not unpacked here: it holds programs built for "
                "another machine; put a requirements.txt beside the model, or set the annotation "
                "fairlead.dev/environment: never to use the libraries that are installed"
            )
        return None
    return Wanted(
        source=" and ".join(dict.fromkeys(one.source for one in asked)),
        requirements=_unique(line for one in asked for line in one.requirements),
        options=_unique(line for one in asked for line in one.options),
        constraints=_unique(line for one in asked for line in one.constraints),
        python=next((one.python for one in asked if one.python), ""),
        ignored=_unique(line for one in asked for line in one.ignored),
    )


def unmet(wanted: Wanted) -> list[str]:
    """Requirements that what is installed here does not meet, each with what is installed. Paths and the like cannot
    be told and count as met; a mistyped version does not, or nobody would hear of it."""
    differing = []
    for line in wanted.requirements:
        requirement = parsed(line)
        if requirement is None:
            differing += [
                f"{named.group(1)} (its version cannot be read)" for named in [_NAMED.fullmatch(line)] if named
            ]
            continue
        if not _is_for_us(requirement):
            continue
        version = _installed(requirement.name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            # Not the line: an address may hold a password.
            differing.append(f"{requirement.name}{requirement.specifier} (installed: {version or 'not at all'})")
    return differing


def to_install(wanted: Wanted, *, may_replace: bool = False) -> list[str]:
    """The requirements without those that a worker brings itself; `may_replace` leaves the packages in that a worker
    can do with in place of its stand-ins. Raises `BadRequirements` for lines that nothing can be installed from."""
    left_out = frozenset[str]() if wanted.apart else _OURS - _REPLACEABLE if may_replace else _OURS
    kept = []
    for line in wanted.requirements:
        requirement = parsed(line)
        if requirement is None:
            raise BadRequirements(
                f"{wanted.source}: {line!r} cannot be installed; accepted: names with versions, URLs of wheels, and "
                "wheels inside the model's folder"
            )
        if name_of(requirement) not in left_out:
            kept.append(line)
    return kept


def listed_in(folder: Path, source: str, lines: Iterable[str], *, beside: Sequence[Path] = ()) -> Wanted:
    """A list in pip's format. Files that it names are looked for in `folder` and then in those `beside` it. Raises
    `BadRequirements`."""
    return _Reading(folder, source, beside=tuple(beside)).read(lines)


def parsed(line: str) -> "Requirement | None":
    """A line as a requirement; `None` for paths and whatever else is none."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(_HASH.sub("", line))
    except InvalidRequirement:
        return None


def name_of(requirement: "Requirement") -> str:
    """Its name as all spellings of it have it."""
    from packaging.utils import canonicalize_name

    return canonicalize_name(requirement.name)


def mlflow_folder(folder: Path | None) -> Path | None:
    """The folder with the MLmodel file: the artifact's own or its only subfolder that has one."""
    if folder is None or (folder / "MLmodel").is_file():
        return folder
    inner = [path.parent for path in folder.glob("*/MLmodel")]
    return inner[0] if len(inner) == 1 else None


def _of_model(folder: Path | None) -> Wanted | None:
    model = mlflow_folder(folder)
    return _of_mlflow(model) if model is not None and (model / "MLmodel").is_file() else _of_file(folder)


def _of_mlflow(folder: Path) -> Wanted | None:
    """MLflow writes the same list three times; the Python version is in two of them."""
    environment = _environment_files(folder)
    conda = _conda(folder / environment.get("conda", "conda.yaml"))
    virtual = _yaml(folder / environment.get("virtualenv", "python_env.yaml"))
    listed = _of_file(folder) or _of_python_env(folder, virtual) or conda
    if listed is None:
        return None
    python = _minor(virtual.get("python")) or (conda.python if conda else "")
    return Wanted(
        source=listed.source,
        requirements=tuple(_for_mlflow(line) for line in listed.requirements),
        options=listed.options,
        constraints=listed.constraints,
        python=python,
        ignored=listed.ignored,
    )


def _for_mlflow(line: str) -> str:
    """The model is read by pyfunc, which is all in mlflow-skinny; mlflow itself is a server of 400 MB."""
    return re.sub(r"^mlflow(?=$|[\s=<>!~;@\[(])(?:\[[^\]]*\])?", "mlflow-skinny", line)


def _environment_files(folder: Path) -> Mapping[str, str]:
    """The files that MLmodel names: one, or one for each tool."""
    flavour = (_yaml(folder / "MLmodel").get("flavors") or {}).get("python_function")
    named = flavour.get("env") if isinstance(flavour, dict) else None
    if isinstance(named, str):
        named = {"conda": named}
    found = named if isinstance(named, dict) else {}
    return {str(tool): str(name) for tool, name in found.items() if Path(str(name)).name == str(name)}


def _of_python_env(folder: Path, content: Mapping[str, Any]) -> Wanted | None:
    """It names requirements.txt, which is gone when this is asked, or holds the list itself."""
    listed = content.get("dependencies")
    lines = [str(line) for line in listed if str(line) != "-r requirements.txt"] if isinstance(listed, list) else []
    return _Reading(folder, "python_env.yaml").read(lines) if lines else None


def _conda(path: Path) -> Wanted | None:
    """The pip part of a conda environment, and its own packages where they are Python's."""
    entries = _yaml(path).get("dependencies")
    if not isinstance(entries, list):
        return None
    lines, ignored, python = [], [], ""
    for entry in entries:
        if isinstance(entry, dict):
            lines += [str(line) for line in entry.get("pip") or ()]
            continue
        requirement = pip_requirement(str(entry))
        if requirement.startswith("python="):
            python = _minor(requirement.partition("==")[2])
        elif requirement:
            lines.append(requirement)
        elif not is_part_of_python(str(entry)):
            ignored.append(f"{entry} (no Python package)")
    found = _Reading(path.parent, path.name).read(lines)
    return Wanted(
        source=found.source,
        requirements=found.requirements,
        options=found.options,
        constraints=found.constraints,
        python=python,
        ignored=(*found.ignored, *ignored),
    )


def _of_file(folder: Path | None) -> Wanted | None:
    if folder is None or not (folder / "requirements.txt").is_file():
        return None
    found = _Reading(folder, "requirements.txt").read(lines_of(folder / "requirements.txt"))
    return found if found.requirements else None


@dataclass(slots=True)
class _Reading:
    """Walks lines of pip's format; files they name are followed inside the folder."""

    folder: Path
    source: str
    beside: tuple[Path, ...] = ()
    requirements: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)

    def read(self, lines: Iterable[str]) -> Wanted:
        self._take(lines, self.requirements)
        return Wanted(
            source=self.source,
            requirements=_unique(self.requirements),
            options=_unique(self.options),
            constraints=_unique(self.constraints),
            ignored=_unique(self.ignored),
        )

    def _take(self, lines: Iterable[str], into: list[str]) -> None:
        for line in _logical(lines):
            if line.startswith("-"):
                self._option(line)
            else:
                into.append(self._at_home(line))

    def _option(self, line: str) -> None:
        name, value = _OPTION.match(line).groups()  # type: ignore[union-attr]  # it begins with a dash, and matches
        name = _SHORT.get(name, name)
        if name in ("--requirement", "--constraint"):
            self._include(value, self.requirements if name == "--requirement" else self.constraints)
        elif name == "--editable":
            self.requirements.append(line)  # refused when something has to be installed, and not before
        elif name in _INDEX_OPTIONS and not value.startswith(("/", ".", "file:")):
            self.options.append(f"{name} {value}".strip())
        else:
            self.ignored.append(line)

    def _include(self, name: str, into: list[str]) -> None:
        path = self._file(name)
        if path not in self.seen:
            self.seen.add(path)
            self._take(lines_of(path), into)

    def _at_home(self, line: str) -> str:
        """A wheel in the folder or on the web by its name and place; anything else as it is."""
        if not line.endswith(".whl") or parsed(line) is not None:
            return line
        if re.match(r"https?://", line):
            return f"{line.rpartition('/')[2].partition('-')[0]} @ {line}"
        path = self._file(line)
        return f"{path.name.partition('-')[0]} @ {path.as_uri()}"

    def _file(self, name: str) -> Path:
        for folder in (self.folder, *self.beside):
            path = (folder / name).resolve()
            if path.is_relative_to(folder.resolve()) and path.is_file():
                return path
        raise BadRequirements(f"{self.source}: {name} is no file of the same folder")


def lines_of(path: Path) -> list[str]:
    """The lines of a list. Raises `BadRequirements` when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequirements(f"{path.name}: cannot be read: {error}") from error


def _logical(lines: Iterable[str]) -> Iterator[str]:
    """Lines without comments, those that go on after a backslash as one. Variables are not for a model to read: they
    are the owner's."""
    held = ""
    for line in lines:
        text = held + re.sub(r"(^|\s)#.*$", "", line).strip()
        if text.endswith("\\"):
            held = f"{text[:-1].rstrip()} "
            continue
        held = ""
        if "${" in text:
            raise BadRequirements(f"{text!r}: variables are not filled in; write the value")
        if text:
            yield text


def _yaml(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}  # whoever loads the model says so, with the place
    return content if isinstance(content, dict) else {}


def _minor(version: object) -> str:
    """`3.11` of `3.11.7`."""
    found = re.match(r"\d+\.\d+", str(version or ""))
    return found.group(0) if found else ""


def _is_for_us(requirement: "Requirement") -> bool:
    return (requirement.marker is None or requirement.marker.evaluate()) and name_of(requirement) not in _OURS


def _installed(name: str) -> str | None:
    return installed_version(name) or installed_version(_SUBSTITUTES.get(name.lower(), name))


def _unique(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))
