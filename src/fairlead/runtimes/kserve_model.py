"""KServe's convention: a class deriving from `kserve.Model`, asked through its hooks.

`preprocess`, `validate`, `predict` or `explain`, and `postprocess` are called in this order for each request, with the
request's headers; any of them may be a coroutine. A step of a graph that only transforms asks for the first or the last
of them. How long each hook took is told to whoever sets `hook_ran`.
"""

import contextvars
import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import LoadError, NotReady
from fairlead.plan.model import Method
from fairlead.protocols.message import Form, Message, Meta, Payload, Reward
from fairlead.protocols.tensors import DTYPES
from fairlead.runtimes.answers import merged_meta, passed_on
from fairlead.runtimes.base import Columns, Done, LoadContext, PredictBytes, Repository, Rows, TensorSpec
from fairlead.runtimes.failures import BadData, not_explained
from fairlead.runtimes.kserve_failures import is_kserves, translated
from fairlead.runtimes.kserve_hooks import HookRan, Hooks
from fairlead.runtimes.kserve_leading import lead
from fairlead.runtimes.kserve_openai import openai_of
from fairlead.runtimes.kserve_payload import Payloads, headers_of
from fairlead.runtimes.kserve_shim import model_server
from fairlead.runtimes.loop_thread import LoopThread
from fairlead.runtimes.metadata import served_metadata
from fairlead.runtimes.parameters import Scalar, as_arguments
from fairlead.runtimes.pieces import Streamed, begun, comes_in_pieces, joined, joined_on_loop
from fairlead.runtimes.user_code import failure_of

_LAST = Method.TRANSFORM_OUTPUT


def is_model(kind: type) -> bool:
    """Whether a class derives from KServe's base class, ours or the real one."""
    known = ("Model", "InferenceModel", "OpenAIModel")
    return any(base.__name__ in known and is_kserves(base) for base in kind.__mro__)


def arguments(kind: type, unit: str, folder: Path | None) -> dict[str, Scalar]:
    """What a constructor is given without being told: the model's name and folder, where it takes them."""
    known: dict[str, Scalar] = {"name": str(unit), "model_name": str(unit)}
    if folder is not None:
        known |= {"model_dir": str(folder), "model_uri": str(folder)}
    parameters = inspect.signature(kind).parameters
    return {name: value for name, value in known.items() if name in parameters}


def wanted(kind: type, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The arguments that are for a constructor: flags of KServe's programs are not, unless it takes them."""
    parameters = inspect.signature(kind).parameters
    return {name: value for name, value in given.items() if name in parameters or name not in model_server.FLAGS}


def loaded(model: Any, context: LoadContext) -> "KserveUnit":
    """A unit around a model that was made; its `load()` runs unless it is ready already. What it sets in its context
    (the predictor) stays its own."""
    return contextvars.copy_context().run(_loaded, model, context)


def _loaded(model: Any, context: LoadContext) -> "KserveUnit":
    loop = LoopThread(f"kserve-{context.unit.name}")
    try:
        _name_predictor(context)
        _make_ready(model, loop, unit=context.unit.name)
        return KserveUnit(model, context, loop)
    except BaseException:
        loop.close()
        raise


def _name_predictor(context: LoadContext) -> None:
    """Tell the package which predictor the unit's parameters name, as the flags of a KServe program do."""
    given, upstream = as_arguments(context.unit), context.unit.upstream
    if upstream is not None:
        given = {"predictor_host": upstream.host, **given, "predictor_protocol": upstream.protocol}
    if not given.get("predictor_host"):
        return
    package = importlib.import_module("kserve.context")
    if upstream is not None and upstream.is_inside and context.inside:
        given |= {"predictor_host": upstream.host, "predictor_use_ssl": False}
        if hasattr(package, "set_inside"):  # our stand-in; the SDK's own knows no sockets
            package.set_inside(package.Inside(upstream.host, context.inside, upstream.headers))
        else:
            lead(upstream.host, context.inside)
    known = inspect.signature(importlib.import_module("kserve").PredictorConfig).parameters
    config = {name: value for name, value in given.items() if name in known}
    package.set_predictor_config(importlib.import_module("kserve").PredictorConfig(**config))


def _make_ready(model: Any, loop: LoopThread, *, unit: str) -> None:
    try:
        if not model.ready and loop.settled(model.load()) is True:
            model.ready = True
        if getattr(model, "engine", False):
            loop.settled(model.start_engine())
    except Exception as error:
        raise failure_of(error, f"unit {unit}: load() failed") from error
    if not model.ready:
        raise LoadError(f"unit {unit}: Model with name {model.name} is not ready. load() must set self.ready = True")


class KserveUnit:
    """A `Servable` around a KServe model."""

    rows: Rows | None = None
    columns: Columns | None = None
    predict_bytes: PredictBytes | None = None
    repository: Repository | None = None
    platform = ""

    def __init__(self, model: Any, context: LoadContext, loop: LoopThread) -> None:
        unit = context.unit
        self.model = model
        self.called: str = model.name
        """What clients call the model, whatever the manifest calls its unit."""
        self._loop = loop
        self._context = contextvars.copy_context()
        self._path = (str(unit.name), unit.image) if unit.image else None
        self._metadata = served_metadata(unit, None, context.env)
        self.openai = openai_of(model, loop)
        # 0.21 has another name for it than the versions before.
        asked = getattr(model, "required_response_headers", getattr(model, "return_response_headers", False))
        self._hooks = Hooks(model, gives_headers=asked is True)
        self.methods = self._hooks.methods
        self.awaited = self._hooks.awaited
        self._payloads = Payloads(model.name, context.protocol)
        self.inputs = self._specs("get_input_types")
        self.outputs = self._specs("get_output_types")

    @property
    def hook_ran(self) -> HookRan:
        """Called with a hook's name and the seconds it took, on the thread it ran on."""
        return self._hooks.ran

    @hook_ran.setter
    def hook_ran(self, tell: HookRan) -> None:
        self._hooks.ran = tell

    def invoke(self, method: Method, message: Message) -> Message:
        """The hooks that answer this method."""
        self._refuse(method)
        response: dict[str, str] = {}
        try:
            # What the program set for its models (the predictor) is in the context it was loaded in.
            own = self._context.copy()
            given = self._given(method, message)
            value = own.run(self._hooks.run, method, given, headers_of(message), response, self._loop)
            if comes_in_pieces(value):
                if message.asked is not None and message.asked.takes_pieces:
                    pieces = own.run(Streamed, value, self._loop, response, translated)
                    return self._in_pieces(pieces, message.meta, response)
                value = own.run(joined, value, self._loop)
            return self._answer(value, message, response)
        except Exception as error:
            raise translated(error) from error

    def begin(self, method: Method, message: Message, done: Done) -> Callable[[], None]:
        """The same without holding the caller's thread."""
        return self._loop.start(self._answered(method, message), done, self._context.copy())

    async def _answered(self, method: Method, message: Message) -> Message:
        response: dict[str, str] = {}
        try:
            self._refuse(method)
            given = self._given(method, message)
            value = await self._hooks.run_on_loop(method, given, headers_of(message), response)
            if comes_in_pieces(value):
                if message.asked is not None and message.asked.takes_pieces:
                    pieces = await begun(value, self._loop, response, translated)
                    return self._in_pieces(pieces, message.meta, response)
                value = await joined_on_loop(value)
            return self._answer(value, message, response)
        except Exception as error:
            raise translated(error) from error

    def _refuse(self, method: Method) -> None:
        if method is Method.ROUTE:
            raise BadData("Route not defined")
        if method is Method.EXPLAIN and method not in self.methods:
            raise not_explained()

    def _given(self, method: Method, message: Message) -> Any:
        return self._payloads.answered(message) if method is _LAST else self._payloads.given(message)

    def _answer(self, value: Any, message: Message, response: dict[str, str]) -> Message:
        payload, raw = self._payloads.answer(value, self._payloads.question(message))
        return Message(payload, passed_on(message.meta, self._path), raw=raw, response_headers=response)

    def aggregate(self, messages: list[Message]) -> Message:  # noqa: ARG002 - the seam's signature
        """A model combines nothing."""
        raise BadData("Aggregate not defined")

    def feedback(self, reward: Reward) -> Message:
        """An empty answer with the meta of what was rewarded: the convention has no hook for it."""
        arrived = [] if reward.request is None else [reward.request.meta]
        return self._said(Payload(Form.NDARRAY, np.array([])), arrived)

    def health(self) -> Message:
        """Healthy, or `NotReady` when the model says that it is not."""
        try:
            is_well = self._loop.settled(self.model.healthy())
        except Exception as error:
            raise translated(error) from error
        if not is_well:
            raise NotReady(f"Model with name {self.model.name} is not ready.")
        return self._said(Payload(Form.STRING, "healthy"), [])

    def metadata(self) -> dict[str, Any]:
        """What the model says of its tensors, under whatever the unit's environment says of it."""
        known = dict(self._metadata())
        for key, specs in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not known.get(key):
                known[key] = [{"name": s.name, "datatype": s.datatype, "shape": list(s.shape)} for s in specs]
        return known

    def close(self) -> None:
        """Tell the model, then end its loop."""
        if getattr(self.model, "engine", False):
            self._loop.settled(self.model.stop_engine())
        self._loop.settled(self.model.stop())
        self._loop.close()

    def _in_pieces(self, pieces: Streamed, arrived: Meta, response: dict[str, str]) -> Message:
        meta = passed_on(arrived, self._path)
        return Message(Payload(Form.BINARY, b""), meta, response_headers=response, pieces=pieces)

    def _specs(self, name: str) -> tuple[TensorSpec, ...]:
        ask = getattr(self.model, name, None)
        given = None if ask is None else self._loop.settled(ask())
        return tuple(_spec(one) for one in given or ())

    def _said(self, payload: Payload, arrived: list[Meta]) -> Message:
        return Message(payload, merged_meta(arrived, tags=(), metrics=[], path=self._path))


def _spec(one: Any) -> TensorSpec:
    value = one if isinstance(one, Mapping) else {key: getattr(one, key) for key in ("name", "datatype", "shape")}
    datatype = str(value["datatype"])
    if datatype not in DTYPES:
        raise LoadError(f"tensor {value['name']!r} has the datatype {datatype!r}; known: {', '.join(DTYPES)}")
    return TensorSpec(name=str(value["name"]), datatype=datatype, shape=tuple(int(size) for size in value["shape"]))
