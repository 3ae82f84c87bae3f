"""Units, contexts and messages in few words, for tests of runtimes."""

from pathlib import Path
from typing import Any

import numpy as np

from fairlead.plan.model import Artifact, Parameter, Protocol, Unit, UnitName, UserCode
from fairlead.protocols.message import Asked, Form, Message, Meta, Output, Payload
from fairlead.protocols.tensors import tensor
from fairlead.runtimes.base import LoadContext


def unit(
    runtime: str = "python",
    *,
    name: str = "classifier",
    variant: str = "",
    image: str = "",
    code: UserCode | None = None,
    artifact: Artifact | None = None,
    **parameters: str | int | float | bool,
) -> Unit:
    """A unit; keyword arguments that are no field become its parameters."""
    given = tuple(Parameter(name=key, value=value) for key, value in parameters.items())
    return Unit(
        name=UnitName(name),
        runtime=runtime,
        variant=variant,
        image=image,
        code=code,
        artifact=artifact,
        parameters=given,
    )


def context(
    of: Unit,
    folder: Path | None = None,
    *,
    env: dict[str, str] | None = None,
    workdir: Path | None = None,
    kept: Path | None = None,
    protocol: Protocol = Protocol.SELDON,
) -> LoadContext:
    """What a runtime is told when it loads the unit."""
    return LoadContext(unit=of, folder=folder, env=env or {}, workdir=workdir, kept=kept, protocol=protocol)


def asking(value: Any, form: Form = Form.NDARRAY, *, names: Any = None, **meta: Any) -> Message:
    """A request with this payload; lists become arrays for the array forms."""
    is_array = form in (Form.NDARRAY, Form.TENSOR, Form.TFTENSOR, Form.EMPTY_DATA)
    return Message(Payload(form, np.array(value) if is_array else value, names or []), Meta(**meta))


def tensors_asking(arrays: dict[str, Any], *outputs: str, signature: str = "") -> Message:
    """A request of named tensors that asks for these outputs."""
    given = [tensor(name, np.asarray(value)) for name, value in arrays.items()]
    asked = Asked(model="iris", outputs=[Output(name) for name in outputs], signature=signature)
    return Message(Payload(Form.TENSORS, given), asked=asked)


def answered(message: Message) -> dict[str, tuple[str, list[int], Any]]:
    """The tensors of an answer: datatype, shape and values by name."""
    assert message.payload.form is Form.TENSORS
    return {one.name: (one.datatype, list(one.array.shape), one.array.tolist()) for one in message.payload.value}
