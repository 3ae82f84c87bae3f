"""Units, contexts and messages in few words, for tests of runtimes."""

from pathlib import Path
from typing import Any

import numpy as np

from fairlead.plan.model import Artifact, Parameter, Unit, UnitName, UserCode
from fairlead.protocols.message import Form, Message, Meta, Payload
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
    of: Unit, folder: Path | None = None, *, env: dict[str, str] | None = None, workdir: Path | None = None
) -> LoadContext:
    """What a runtime is told when it loads the unit."""
    return LoadContext(unit=of, folder=folder, env=env or {}, workdir=workdir)


def asking(value: Any, form: Form = Form.NDARRAY, *, names: Any = None, **meta: Any) -> Message:
    """A request with this payload; lists become arrays for the array forms."""
    is_array = form in (Form.NDARRAY, Form.TENSOR, Form.TFTENSOR, Form.EMPTY_DATA)
    return Message(Payload(form, np.array(value) if is_array else value, names or []), Meta(**meta))
