"""Loading a Triton repository: every model by the runtime of its back-end."""

import re
from pathlib import Path

from fairlead.errors import LoadError
from fairlead.runtimes import onnx, pytorch, tensorflow
from fairlead.runtimes.artifact import listing
from fairlead.runtimes.base import LoadContext, Servable, TensorModel, TensorSpec
from fairlead.runtimes.parameters import threads_of
from fairlead.runtimes.repository import RepositoryUnit
from fairlead.runtimes.triton import python_backend
from fairlead.runtimes.triton.config import FILES, ModelConfig, Port
from fairlead.runtimes.triton.ensemble import Ensemble
from fairlead.runtimes.triton.model import TritonModel, TritonUnit
from fairlead.runtimes.triton.repository import TritonRepository, model_folders

_EXPECTED = "folders of models, each with config.pbtxt and version folders (iris/config.pbtxt, iris/1/model.onnx)"
_PLACE = re.compile(r"__(\d+)$")


def load(context: LoadContext) -> Servable:
    """Load every model of the repository. The unit's own is the one that has its name, or the first that loaded."""
    unit, folder = context.unit, context.folder
    if folder is None:
        raise LoadError(f"unit {unit.name}: no models to load: modelUri is not set; expected {_EXPECTED}")
    names = list(model_folders(folder, unit.name))
    if not names:
        raise LoadError(f"unit {unit.name}: no models: found {listing(folder)}; expected {_EXPECTED}")
    opener = _Opener(folder, threads=threads_of(context))

    def wrap(model: TritonModel, config: ModelConfig) -> TritonUnit:
        return TritonUnit(model, unit, most=config.max_batch_size)

    repository = TritonRepository(lambda: model_folders(folder, unit.name), opener.open, wrap)
    opener.repository = repository
    repository.load_all()
    own = unit.name if unit.name in names else _first_ready(repository, names)
    if repository.reason(own):
        reasons = "; ".join(repository.reason(name) for name in names if repository.reason(name))
        repository.close()
        raise LoadError(f"unit {unit.name}: {reasons}")
    return RepositoryUnit(repository.model(own), repository)


def _first_ready(repository: TritonRepository, names: list[str]) -> str:
    return next((name for name in names if not repository.reason(name)), names[0])


class _Opener:
    """Opens one version of a model."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        self._folder = folder
        self._threads = threads
        self.repository: TritonRepository | None = None

    def open(self, config: ModelConfig, folder: Path, version: str) -> TritonModel:
        """The model of a version's folder."""
        return TritonModel(self._inner(config, folder, version), config, version)

    def _inner(self, config: ModelConfig, folder: Path, version: str) -> TensorModel:
        if config.backend == "ensemble":
            return Ensemble(config, self._find)
        path = folder / (config.file or FILES[config.backend])
        if not path.exists():
            raise LoadError(f"model {config.name}: version {version} holds {listing(folder)}; expected {path.name}")
        if config.backend == "python":
            return python_backend.open_model(path, config, version, self._find, repository=self._folder)
        if config.backend == "pytorch":
            return pytorch.open_model(
                path,
                name=config.name,
                threads=self._threads,
                inputs=_placed(config.inputs),
                outputs=_placed(config.outputs),
            )
        if config.backend == "tensorflow":
            return tensorflow.open_model(path, name=config.name, threads=self._threads)
        return onnx.open_model(path, name=config.name, threads=self._threads)

    def _find(self, name: str, version: str) -> TensorModel:
        assert self.repository is not None  # set before the first model is opened
        return self.repository.tensors(name, version)


def _placed(ports: tuple[Port, ...]) -> list[TensorSpec]:
    """What a TorchScript file takes or gives, by place: names end in it (`INPUT__0`), or their order is that. The
    model's own shapes are left open: the configuration's have been checked, and `reshape` may change them."""
    places = [_PLACE.search(port.spec.name) for port in ports]
    ordered = list(ports)
    if all(place is not None for place in places):
        ordered.sort(key=lambda port: int(port.spec.name.rpartition("__")[2]))
    return [TensorSpec(name=port.spec.name, datatype=port.spec.datatype, shape=()) for port in ordered]
