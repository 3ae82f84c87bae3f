"""What a loaded unit can be asked, whatever library is inside.

`Servable` is the one seam between the data plane and the model formats. Calls are blocking; the data plane
decides on which thread. A runtime module has `load(context) -> Servable` and imports its library inside it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fairlead.plan.model import Method, Unit
from fairlead.protocols.message import Message, Payload, Reward


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadContext:
    """What a runtime may know when it loads a unit.

    `folder` holds the fetched artifact (`None` when the unit has none). `env` is the unit's own environment,
    already in `os.environ` while `load` runs. `workdir` is a scratch folder of the replica.
    """

    unit: Unit
    folder: Path | None
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: Path | None = None


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
    are the output's column names, `None` for the default `t:0`, `t:1`, …"""

    class_names: list[str] | None

    def predict(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]: ...


PredictBytes = Callable[[bytes], bytes | Message | None]


class Servable(Protocol):
    """A unit that is loaded.

    `rows` is set only by units that may be batched and whose `predict` does nothing else (no tags, no metrics, no
    use of names or meta). `methods` are the methods the unit really implements; the others follow the
    convention's defaults. `invoke` gives a message with this unit's tags and metrics merged and its image in
    the request path. All of them may raise; `fairlead.errors` classes keep their status. `columns` is `None` when
    the model does not say what its rows look like. `predict_bytes` is set only by units that want the body of a
    prediction as it came; it gives the body to answer with, a message for units that answer one all the same, or
    `None` when the unit has no such method after all.
    """

    rows: Rows | None
    columns: Columns | None
    predict_bytes: PredictBytes | None
    methods: frozenset[Method]

    def invoke(self, method: Method, message: Message) -> Message: ...
    def aggregate(self, messages: list[Message]) -> Message: ...
    def feedback(self, reward: Reward) -> Message: ...
    def health(self) -> Message: ...
    def metadata(self) -> dict[str, Any]: ...
    def close(self) -> None: ...


def empty_payload() -> Payload:
    """An array payload with nothing in it."""
    from fairlead.protocols.message import Form

    return Payload(Form.EMPTY_DATA, np.array([]))
