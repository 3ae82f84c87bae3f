"""MLServer's convention: a class deriving from `mlserver.MLModel`, with `load` and `predict(InferenceRequest)`.

Its settings come from `model-settings.json` of the model's folder, where there is one, with the unit's parameters on
top. Messages that are no tensors become the one input that they make.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import FairleadError, LoadError, NotOffered, NotReady, UnitFailed
from fairlead.plan.model import Method, UserCode
from fairlead.protocols.message import Asked, Form, Message, Meta, Payload, Reward
from fairlead.protocols.seldon_v1 import answer_form, column_names
from fairlead.protocols.tensors import BYTES, DEFAULT_INPUT, DTYPES, Tensor, as_array_payload, as_tensors, tensor
from fairlead.runtimes.answers import merged_meta, passed_on
from fairlead.runtimes.base import Columns, LoadContext, PredictBytes, Repository, Rows, TensorSpec
from fairlead.runtimes.failures import BadData, Refused, not_explained
from fairlead.runtimes.loop_thread import LoopThread
from fairlead.runtimes.metadata import served_metadata
from fairlead.runtimes.parameters import as_arguments
from fairlead.runtimes.user_code import failure_of

SETTINGS = "model-settings.json"
_NO_WISHES = Asked()
_FIELDS = frozenset(("name", "implementation", "platform", "versions"))
_PARAMETERS = frozenset(("uri", "version", "format", "content_type"))


def is_mlservers(kind: type) -> bool:
    """Whether a class belongs to `mlserver`, ours or the real one."""
    return kind.__module__.partition(".")[0] == "mlserver" or ".mlserver_shim" in kind.__module__


def is_model(kind: type) -> bool:
    """Whether a class derives from MLServer's base class, ours or the real one."""
    return any(base.__name__ == "MLModel" and is_mlservers(base) for base in kind.__mro__)


def code_of(folder: Path) -> UserCode | None:
    """The class that a folder's settings name, to be imported from that folder; `None` without such settings."""
    implementation = _read(folder).get("implementation")
    return UserCode(target=str(implementation), path=str(folder)) if implementation else None


def loaded(kind: type, context: LoadContext) -> "MlserverUnit":
    """Make the model with its settings and load it."""
    loop = LoopThread(f"mlserver-{context.unit.name}")
    unit = context.unit.name
    try:
        model = kind(_settings(context))
        if loop.settled(model.load()) is False:
            raise LoadError(f"unit {unit}: load() of {kind.__name__} returned False")
        model.ready = True
        return MlserverUnit(model, context, loop)
    except LoadError:
        loop.close()
        raise
    except Exception as error:
        loop.close()
        raise failure_of(error, f"unit {unit}: {kind.__name__} cannot be loaded") from error


def _settings(context: LoadContext) -> Any:
    """`model-settings.json` with the folder as `parameters.uri`, and the unit's parameters over both: those MLServer
    knows where they belong, the others as `parameters.extra`."""
    folder = context.folder
    given = {} if folder is None else _read(folder)
    parameters = dict(given.get("parameters") or {})
    uri = parameters.get("uri")
    if folder is not None:
        parameters["uri"] = str(folder / str(uri).removeprefix("./")) if uri else str(folder)
    extra = dict(parameters.get("extra") or {})
    for name, value in as_arguments(context.unit).items():
        place = given if name in _FIELDS else parameters if name in _PARAMETERS else extra
        place[name] = value
    if extra:
        parameters["extra"] = extra
    given = {"name": str(context.unit.name), "implementation": ""} | given | {"parameters": parameters}
    return importlib.import_module("mlserver").ModelSettings.model_validate(given)


def _read(folder: Path) -> dict[str, Any]:
    path = folder / SETTINGS
    if not path.is_file():
        return {}
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LoadError(f"{SETTINGS}: not JSON: {error}") from error
    if not isinstance(given, dict):
        raise LoadError(f"{SETTINGS}: expected an object like {{'name': …, 'implementation': …}}")
    return given


class MlserverUnit:
    """A `Servable` around an MLServer model."""

    rows: Rows | None = None
    columns: Columns | None = None
    predict_bytes: PredictBytes | None = None
    repository: Repository | None = None

    def __init__(self, model: Any, context: LoadContext, loop: LoopThread) -> None:
        unit = context.unit
        self.model = model
        self.methods = frozenset((Method.PREDICT, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT))
        self.platform: str = model.settings.platform or ""
        self.inputs = _specs(model.inputs)
        self.outputs = _specs(model.outputs)
        self._loop = loop
        self._types = importlib.import_module("mlserver.types")
        self._path = (str(unit.name), unit.image) if unit.image else None
        self._metadata = served_metadata(unit, None, context.env)

    def invoke(self, method: Method, message: Message) -> Message:
        """The model's answer, whichever passing method asks."""
        if method is Method.ROUTE:
            raise BadData("Route not defined")
        if method is Method.EXPLAIN:
            raise not_explained()
        payload = message.payload
        name = self.inputs[0].name if self.inputs else DEFAULT_INPUT
        try:
            request = self._request(as_tensors(payload, name=name), message.asked or _NO_WISHES)
            response = self._loop.settled(self.model.predict(request))
            answer = _answer([_tensor(one) for one in response.outputs], payload)
        except Exception as error:
            raise _translated(error) from error
        return Message(answer, passed_on(message.meta, self._path), response_headers=_headers(response))

    def aggregate(self, messages: list[Message]) -> Message:  # noqa: ARG002 - the seam's signature
        """A model combines nothing."""
        raise BadData("Aggregate not defined")

    def feedback(self, reward: Reward) -> Message:
        """An empty answer with the meta of what was rewarded: the convention has no method for it."""
        arrived = [] if reward.request is None else [reward.request.meta]
        return self._said(Payload(Form.NDARRAY, np.array([])), arrived)

    def health(self) -> Message:
        """Healthy while the model says that it is ready."""
        if not self.model.ready:
            raise NotReady(f"Model {self.model.name} is not ready yet")
        return self._said(Payload(Form.STRING, "healthy"), [])

    def metadata(self) -> dict[str, Any]:
        """What the model says of its tensors, under whatever the unit's environment says of it."""
        known = dict(self._metadata())
        for key, specs in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not known.get(key):
                known[key] = [{"name": s.name, "datatype": s.datatype, "shape": list(s.shape)} for s in specs]
        known["platform"] = known.get("platform") or self.platform
        return known

    def close(self) -> None:
        """Tell the model, then end its loop."""
        unload = getattr(self.model, "unload", None)
        if unload is not None:
            self._loop.settled(unload())
        self._loop.close()

    def _request(self, tensors: list[Tensor], asked: Asked) -> Any:
        types = self._types
        parameters = dict(asked.parameters)
        if asked.headers:
            parameters["headers"] = {name.decode("latin-1"): value.decode("latin-1") for name, value in asked.headers}
        inputs = [
            types.RequestInput(
                name=one.name,
                shape=list(one.array.shape),
                datatype=one.datatype,
                parameters=types.Parameters(**one.parameters) if one.parameters else None,
                data=_readable(one),
            )
            for one in tensors
        ]
        outputs = [
            types.RequestOutput(
                name=one.name, parameters=types.Parameters(**one.parameters) if one.parameters else None
            )
            for one in asked.outputs
        ]
        return types.InferenceRequest(
            id=asked.id or None,
            parameters=types.Parameters(**parameters) if parameters else None,
            inputs=inputs,
            outputs=outputs or None,
        )

    def _said(self, payload: Payload, arrived: list[Meta]) -> Message:
        return Message(payload, merged_meta(arrived, tags=(), metrics=[], path=self._path))


def _readable(one: Tensor) -> list[Any]:
    """The values as a flat list; BYTES that are text are text."""
    values: list[Any] = one.array.reshape(-1).tolist()
    if one.datatype != BYTES:
        return values
    try:
        return [value.decode() if isinstance(value, bytes) else value for value in values]
    except UnicodeDecodeError:
        return values


def _tensor(one: Any) -> Tensor:
    """An output as a tensor of the datatype it says."""
    data = getattr(one.data, "root", one.data)  # the real package wraps lists
    dtype = DTYPES.get(str(getattr(one.datatype, "value", one.datatype)))
    if dtype is None:
        raise UnitFailed(f"the output {one.name!r} has the datatype {one.datatype!r}; known: {', '.join(DTYPES)}")
    values = np.array([data] if isinstance(data, str | bytes) else data, dtype=dtype)
    parameters = one.parameters.model_dump(exclude_none=True) if one.parameters is not None else {}
    return tensor(one.name, values.reshape(list(getattr(one.shape, "root", one.shape))), parameters)


def _answer(given: list[Tensor], asked: Payload) -> Payload:
    """Tensors for tensors; for Seldon's and V1's forms an array, or an object of several."""
    if asked.form is Form.TENSORS:
        return Payload(Form.TENSORS, given)
    if len(given) != 1:
        return Payload(
            Form.JSON, {one.name: as_array_payload(Payload(Form.TENSORS, [one])).value.tolist() for one in given}
        )
    array = as_array_payload(Payload(Form.TENSORS, given)).value
    return Payload(answer_form(asked.form, array), array, column_names(None, array))


def _headers(response: Any) -> dict[str, str]:
    headers = getattr(response.parameters, "headers", None) if response.parameters is not None else None
    return {str(name): str(value) for name, value in (headers or {}).items()}


def _specs(tensors: Any) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name=one.name,
            datatype=str(getattr(one.datatype, "value", one.datatype)),
            shape=tuple(int(size) for size in getattr(one.shape, "root", one.shape)),
        )
        for one in tensors or ()
    )


def _translated(error: Exception) -> FairleadError:
    """An `MLServerError` keeps its status; what is not implemented is 501; any other is the model's own failure."""
    if isinstance(error, FairleadError):
        return error
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 400 <= status <= 599:
        return Refused(str(error), http=status, reason=UnitFailed.reason)
    if isinstance(error, NotImplementedError):
        return NotOffered(str(error) or "not implemented")
    return UnitFailed(f"{type(error).__name__} : {error}")
