"""Files of users in a folder of a test, loaded as a worker loads them, and forgotten afterwards."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.plan.model import Protocol, Unit, UserCode
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensors import Tensor, tensor
from fairlead.runtimes import registry
from fairlead.runtimes.base import LoadContext, Servable


@contextmanager
def forgotten() -> Iterator[None]:
    """What the files of a test leave behind in this process is gone at the end."""
    modules, path, finders = set(sys.modules), list(sys.path), list(sys.meta_path)
    yield
    sys.path[:], sys.meta_path[:] = path, finders
    # Modules of installed libraries stay: many of them cannot be imported twice.
    for name in [name for name in set(sys.modules) - modules if not _is_installed(name)]:
        del sys.modules[name]


def _is_installed(name: str) -> bool:
    """Whether a module belongs to an installed library; those inside a compiled one have no file of their own."""
    own, top = (sys.modules.get(part) for part in (name, name.partition(".")[0]))
    return any("-packages" in (getattr(module, "__file__", None) or "") for module in (own, top))


def write(folder: Path, name: str, source: str, target: str = "") -> UserCode:
    """A module in a folder, and the words that name `target` in it (by default the class of the module's name)."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    return UserCode(target=f"{name}.{target}" if target else name, path=str(folder))


def load(of: Unit, *, folder: Path | None = None, protocol: Protocol = Protocol.V2, **env: str) -> Servable:
    """The unit, loaded."""
    return registry.load(LoadContext(unit=of, folder=folder, env=env, protocol=protocol))


def tensors(*, asked: Asked | None = None, **arrays: Any) -> Message:
    """A request of tensors, as the V2 protocol gives it."""
    given = [tensor(name, np.asarray(array)) for name, array in arrays.items()]
    return Message(Payload(Form.TENSORS, given), asked=asked or Asked())


def v1(value: dict[str, Any], *headers: tuple[bytes, bytes]) -> Message:
    """A request of KServe's V1 protocol: rows as an array, and the object they came in."""
    rows = value.get("instances")
    is_table = rows is not None and not any(isinstance(row, dict) for row in rows)
    payload = Payload(Form.NDARRAY, np.array(rows)) if is_table else Payload(Form.JSON, value)
    return Message(payload, raw=value, asked=Asked(headers=list(headers)))


def listed(message: Message) -> dict[str, Any]:
    """An answer of tensors as lists by name."""
    given: list[Tensor] = message.payload.value
    return {one.name: one.array.tolist() for one in given}
