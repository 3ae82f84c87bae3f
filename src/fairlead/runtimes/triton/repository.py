"""The models of a Triton repository: found in its folder, loaded and let go by name, each with its versions."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from fairlead.errors import FairleadError, LoadError, NotFound, NotReady
from fairlead.runtimes.artifact import listing
from fairlead.runtimes.base import ModelState, RepositoryModel
from fairlead.runtimes.triton.config import FILE, FILES, ModelConfig, read_config
from fairlead.runtimes.triton.model import TritonModel, TritonUnit

_log = logging.getLogger(__name__)

Open = Callable[[ModelConfig, Path, str], TritonModel]
Wrap = Callable[[TritonModel, ModelConfig], TritonUnit]
Versions = dict[str, tuple[TritonModel, TritonUnit]]


class TritonRepository:
    """A `Repository`. `folders` are the models' by name. A model that does not load is unavailable and says why; the
    others serve on."""

    def __init__(self, folders: Callable[[], dict[str, Path]], open_model: Open, wrap: Wrap) -> None:
        self._folders = folders
        self._open = open_model
        self._wrap = wrap
        self._loaded: dict[str, Versions] = {}
        self._reasons: dict[str, str] = dict.fromkeys(folders(), "not loaded")
        self._changing = threading.RLock()

    def load_all(self) -> None:
        """Load every model, ensembles after the models they may be made of."""
        for name in sorted(self._folders(), key=self._is_ensemble):
            try:
                self.load(name)
            except FairleadError as error:
                _log.warning("model %s of the repository is unavailable: %s", name, error)

    def models(self) -> list[RepositoryModel]:
        """A line for each version that is loaded, and for each model of which none is."""
        listed = []
        for name in sorted(self._reasons.keys() | self._loaded.keys()):
            for version in self._loaded.get(name, {}):
                listed.append(RepositoryModel(name=name, version=version, state=ModelState.READY))
            if name not in self._loaded:
                reason = self._reasons[name]
                listed.append(RepositoryModel(name=name, version="", state=ModelState.UNAVAILABLE, reason=reason))
        return listed

    def holds(self, name: str) -> bool:
        """Whether there is such a model, loaded or not."""
        return name in self._loaded or name in self._reasons

    def model(self, name: str, version: str = "") -> TritonUnit:
        """A model as a unit."""
        return self._version(name, version)[1]

    def tensors(self, name: str, version: str = "") -> TritonModel:
        """A model as other models of the repository ask it."""
        return self._version(name, version)[0]

    def load(self, name: str) -> None:
        """Load a model's versions anew; those that served before serve until the new ones do."""
        folder = self._folders().get(name)
        if folder is None:
            raise NotFound(f"Model with name {name} does not exist.")
        with self._changing:
            try:
                versions = self._versions(name, folder)
            except FairleadError as error:
                if name not in self._loaded:
                    self._reasons[name] = str(error)
                raise
            before = self._loaded.get(name, {})
            self._loaded[name] = versions
            self._reasons.pop(name, None)
        _close(before)

    def unload(self, name: str) -> None:
        """Let a model go, all its versions."""
        with self._changing:
            if not self.holds(name):
                raise NotFound(f"Model with name {name} does not exist.")
            versions = self._loaded.pop(name, {})
            self._reasons[name] = "unloaded"
        _close(versions)

    def close(self) -> None:
        """Let all models go."""
        with self._changing:
            loaded, self._loaded = self._loaded, {}
        for versions in loaded.values():
            _close(versions)

    def reason(self, name: str) -> str:
        """Why a model is not loaded."""
        return self._reasons.get(name, "")

    def _version(self, name: str, version: str) -> tuple[TritonModel, TritonUnit]:
        versions = self._loaded.get(name)
        if versions is None:
            if name in self._reasons:
                raise NotReady(f"Model with name {name} is not ready. {self._reasons[name]}")
            raise NotFound(f"Model with name {name} does not exist.")
        if not version:
            return next(reversed(versions.values()))
        found = versions.get(version)
        if found is None:
            raise NotFound(f"Model {name} with version {version} not found; loaded: {', '.join(versions)}")
        return found

    def _versions(self, name: str, folder: Path) -> Versions:
        config = read_config(folder, name)
        versions: Versions = {}
        try:
            for number in chosen_versions(config, folder):
                model = self._open(config, folder / str(number), str(number))
                versions[str(number)] = (model, self._wrap(model, config))
        except BaseException:
            _close(versions)
            raise
        return versions

    def _is_ensemble(self, name: str) -> bool:
        try:
            return read_config(self._folders()[name], name).backend == "ensemble"
        except LoadError:
            return False  # loading says why


def chosen_versions(config: ModelConfig, folder: Path) -> list[int]:
    """The versions to serve, the newest last, as the policy says. Raises `LoadError` for none."""
    there = sorted(int(path.name) for path in folder.iterdir() if path.is_dir() and _is_version(path.name))
    if config.backend == "ensemble" and not there:
        return [1]  # git keeps no empty folders, and an ensemble's is empty
    wanted = there
    if config.policy == "specific":
        missing = [number for number in config.specific if number not in there]
        if missing:
            raise LoadError(
                f"model {config.name}: version_policy names version {missing[0]}; there are {there or 'none'}"
            )
        wanted = sorted(config.specific)
    elif config.policy == "latest":
        wanted = there[-max(config.latest, 1) :]
    if not wanted:
        raise LoadError(f"model {config.name}: no version: found {listing(folder)}; expected folders like 1/")
    return wanted


def model_folders(folder: Path, unit: str) -> dict[str, Path]:
    """The models' folders by name: of a repository, or of one model, which is then called as the unit."""
    if _is_model(folder):
        return {unit: folder}
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and _is_model(path)}


def _is_model(folder: Path) -> bool:
    if (folder / FILE).is_file():
        return True
    versions = [path for path in folder.iterdir() if path.is_dir() and _is_version(path.name)]
    return any((version / file).exists() for version in versions for file in FILES.values())


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdigit() and not name.startswith("0")


def _close(versions: Versions) -> None:
    for model, _ in versions.values():
        model.close()
