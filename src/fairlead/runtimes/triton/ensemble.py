"""Triton's ensembles: models of the repository, each fed with what the request or other models gave."""

from collections.abc import Callable

from fairlead.errors import LoadError, UnitFailed
from fairlead.protocols.message import Asked
from fairlead.protocols.tensors import Tensor
from fairlead.runtimes.base import TensorModel, TensorSpec
from fairlead.runtimes.triton.config import EnsembleStep, ModelConfig

Find = Callable[[str, str], TensorModel]


class Ensemble:
    """A `TensorModel` of several. `find` gives the model of a name and version when it is asked, so that one that is
    loaded anew is the one that answers."""

    platform = "ensemble"
    is_row_wise = False

    def __init__(self, config: ModelConfig, find: Find) -> None:
        self.inputs: tuple[TensorSpec, ...] = tuple(port.spec for port in config.inputs)
        self.outputs: tuple[TensorSpec, ...] = tuple(port.spec for port in config.outputs)
        self._name = config.name
        self._find = find
        self._steps = _in_order(config)

    def infer(self, tensors: list[Tensor], wanted: list[str], asked: Asked) -> list[Tensor]:
        """What the last steps gave."""
        pool = {one.name: one for one in tensors}
        for step in self._steps:
            given = [_named(pool[theirs], own) for own, theirs in step.inputs.items() if theirs in pool]
            answers = self._find(step.model, step.version).infer(given, list(step.outputs), Asked(id=asked.id))
            pool |= {step.outputs[one.name]: _named(one, step.outputs[one.name]) for one in answers}
        names = wanted or [spec.name for spec in self.outputs]
        missing = [name for name in names if name not in pool]
        if missing:
            raise UnitFailed(f"ensemble {self._name}: no step gave {missing[0]!r}")
        return [pool[name] for name in names]

    def close(self) -> None:
        """Its models are the repository's."""


def _in_order(config: ModelConfig) -> list[EnsembleStep]:
    """The steps, each after those that give what it takes. Raises `LoadError` for a circle or a tensor of nobody."""
    known = {port.spec.name for port in config.inputs}
    waiting, ordered = list(config.steps), []
    while waiting:
        ready = [step for step in waiting if set(step.inputs.values()) <= known]
        if not ready:
            lacking = sorted(set(waiting[0].inputs.values()) - known)
            names = ", ".join(map(repr, lacking))
            raise LoadError(f"ensemble {config.name}: nothing gives {names} to its step {waiting[0].model!r}")
        for step in ready:
            waiting.remove(step)
            ordered.append(step)
            known |= set(step.outputs.values())
    return ordered


def _named(one: Tensor, name: str) -> Tensor:
    return Tensor(name, one.array, one.datatype, one.parameters)
