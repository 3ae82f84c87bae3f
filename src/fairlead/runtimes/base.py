"""What a loaded unit can be asked, whatever library is inside.

`Servable` is the one seam between the data plane and the model formats. Calls are blocking; the data plane
decides on which thread. A runtime module has `load(context) -> Servable` and imports its library inside it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fairlead.plan.model import Method, Unit
from fairlead.plan.model import Protocol as WireProtocol
from fairlead.protocols.message import Asked, Message, Reward
from fairlead.protocols.tensors import Tensor

MLSERVER = "mlserver"
"""The variant of units that stand for an MLServer."""
KSERVE = "kserve"
"""The variant of units that stand for a server of KServe's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadContext:
    """What a runtime may know when it loads a unit.

    `folder` holds the fetched artifact (`None` when the unit has none). `env` is the unit's own environment,
    already in `os.environ` while `load` runs. `workdir` is a scratch folder of the replica. `kept` is a folder of the
    unit alone (to be made by whoever wants it) that all its replicas share and that lives as long as its deployment.
    """

    unit: Unit
    folder: Path | None
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: Path | None = None
    kept: Path | None = None
    protocol: WireProtocol = WireProtocol.SELDON
    """What the revision speaks: servers of one format differ in their defaults by it (a scikit-learn model answers
    with probabilities under Seldon's protocol and with classes under the others)."""
    inside: str = ""
    """The socket at which services of this machine answer to their host names, empty where there is none."""
    threads: int = 1
    """How many calls the worker may make at once; a library of its own threads uses as many for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What a row of a model's input is made of, as far as the model itself tells: for examples it will accept.
    `names` are there only when it wants to be told them; `whole` means that it takes integers alone."""

    count: int
    names: tuple[str, ...] = ()
    whole: bool = False


class Rows(Protocol):
    """Prediction where each row's answer depends on that row alone, so rows of several requests may share a
    call: `predict` takes an array [n, features] and gives an array whose first dimension is n. `class_names`
    are the output's column names, `None` for the default `t:0`, `t:1`, …; `output_name` is what the tensor protocols
    call the output."""

    class_names: list[str] | None
    output_name: str

    def predict(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output of a tensor model. `shape` has -1 where any size goes; `datatype` is the Open Inference
    Protocol's."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One of the functions that a TensorFlow model offers by name. `method` is what the file says it is
    (`tensorflow/serving/predict`, `…/classify`, `…/regress`; empty when it does not say)."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    method: str = ""


class TensorModel(Protocol):
    """A model that takes and gives named tensors: what a format's module has to write. `runtimes.tensor_unit` makes a
    `Servable` of it. `inputs` and `outputs` are empty when the model does not tell. `is_row_wise` says that row i of
    every output depends on row i of the inputs alone. `infer` raises `BadRequest` for tensors it cannot take, naming
    the tensor, what it wants and what it got; `wanted` are the outputs asked for (none: all, in the model's order).

    A model may have two things more, which `TensorUnit` hands on: `version`, the version that is served (a `str`), and
    `signatures() -> Mapping[str, Signature]`, the functions that `asked.signature` chooses from."""

    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    is_row_wise: bool

    def infer(self, tensors: list[Tensor], wanted: list[str], asked: Asked) -> list[Tensor]: ...
    def close(self) -> None: ...


class ModelState(StrEnum):
    """Whether a model of a repository answers: the Open Inference Protocol's words."""

    READY = "READY"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryModel:
    """One line of a repository's index. `version` is empty for a model that is not loaded; `reason` says why one is
    unavailable."""

    name: str
    version: str
    state: ModelState
    reason: str = ""


class Repository(Protocol):
    """Several models under one unit. A message's `asked.model` and `asked.version` say which of them the unit's
    `invoke` asks; `model` gives one by itself (its newest version when none is named) and raises `NotFound` or
    `NotReady`. `load` loads a model again or for the first time, `unload` lets it go; both raise `NotFound` for a name
    that the repository does not hold, and `load` raises `LoadError`. Both may be called while others are asked."""

    def models(self) -> list[RepositoryModel]: ...
    def model(self, name: str, version: str = "") -> "Servable": ...
    def load(self, name: str) -> None: ...
    def unload(self, name: str) -> None: ...


PredictBytes = Callable[[bytes], bytes | Message | None]
Done = Callable[[Message | None, Exception | None], None]


class Waiting(Protocol):
    """What a servable has besides when its calls wait for somebody else. `begin` is `invoke` without holding the
    caller's thread: the answer, or what went wrong, is told later on some other thread. It gives what calls it off.
    `awaited` are the methods that it is for; the data plane has as many calls of them under way as there are
    requests."""

    awaited: frozenset[Method]

    def begin(self, method: Method, message: Message, done: Done) -> Callable[[], None]: ...


class Servable(Protocol):
    """A unit that is loaded.

    `rows` is set only by units that may be batched and whose `predict` does nothing else (no tags, no metrics, no
    use of names or meta). `methods` are the methods the unit really implements; the others follow the convention's
    defaults. `invoke` gives a message with this unit's tags and metrics merged and its image in
    the request path. All of them may raise; `fairlead.errors` classes keep their status. `columns` is `None` when
    the model does not say what its rows look like. `predict_bytes` is set only by units that want the body of a
    prediction as it came; it gives the body to answer with, a message for units that answer one all the same, or
    `None` when the unit has no such method after all. `repository` is set only by units that hold several models.
    """

    rows: Rows | None
    columns: Columns | None
    predict_bytes: PredictBytes | None
    methods: frozenset[Method]
    inputs: tuple[TensorSpec, ...]
    """What the model says it takes, for metadata; empty when it does not tell. The same for `outputs`."""
    outputs: tuple[TensorSpec, ...]
    platform: str
    repository: Repository | None

    def invoke(self, method: Method, message: Message) -> Message: ...
    def aggregate(self, messages: list[Message]) -> Message: ...
    def feedback(self, reward: Reward) -> Message: ...
    def health(self) -> Message: ...
    def metadata(self) -> dict[str, Any]: ...
    def close(self) -> None: ...
