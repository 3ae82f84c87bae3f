"""Any Python object that follows Seldon's component convention, as a unit the data plane can ask.

Model formats, sample stand-ins and users' classes all answer through this one wrapper, so the rules about payloads,
names, tags, metrics, request paths and errors exist once. It knows messages, not bytes: only the methods that want
raw JSON make it call the codec.
"""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fairlead.errors import BadRequest, FairleadError
from fairlead.plan.model import Method, Unit
from fairlead.protocols.message import Form, Message, Meta, Payload, Reward
from fairlead.protocols.seldon_v1 import decode, to_object
from fairlead.protocols.tensors import DEFAULT_OUTPUT, as_array_payload, as_tensors
from fairlead.runtimes import own_metrics
from fairlead.runtimes.answers import (
    ClassNames,
    answer_payload,
    array_payload,
    data_of,
    features_of,
    merged_meta,
    meta_argument,
    own_copy,
    passed_on,
    passed_on_by_all,
)
from fairlead.runtimes.base import Columns, PredictBytes, Repository, Rows, TensorSpec
from fairlead.runtimes.failures import BadData, not_explained, translated
from fairlead.runtimes.metadata import served_metadata
from fairlead.runtimes.operations import ABSENT, Operation, first_answer, is_component_base, own_method
from fairlead.runtimes.parameters import is_true

_ROUTE = Method.ROUTE  # a member of an enum costs a call to look up
_TENSORS = Form.TENSORS
_OPERATIONS = {
    Method.PREDICT: "predict",
    Method.TRANSFORM_INPUT: "transform_input",
    Method.TRANSFORM_OUTPUT: "transform_output",
    Method.ROUTE: "route",
    Method.AGGREGATE: "aggregate",
    Method.FEEDBACK: "send_feedback",
    Method.EXPLAIN: "explain",
}


T = TypeVar("T")


class Returned(NamedTuple):
    """What a method gave: a value, and tags and metrics of this one call when it gave a `SeldonResponse`."""

    value: Any
    tags: Mapping[str, Any] | None = None
    metrics: list[dict[str, Any]] | None = None


class Component:
    """A `Servable` around `target`. `env` is the unit's environment; `rows` says how rows of several requests may
    share a call, when they may; `columns` is what is known of a row. Requests made of tensors reach the target as the
    one array it knows, and its answer is the tensor `output_name`."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    platform = ""
    repository: Repository | None = None

    def __init__(
        self,
        target: object,
        unit: Unit,
        *,
        env: Mapping[str, str] | None = None,
        rows: Rows | None = None,
        columns: Columns | None = None,
        output_name: str = DEFAULT_OUTPUT,
    ) -> None:
        env = os.environ if env is None else env
        self.rows = rows
        self.columns = columns
        self._output_name = output_name
        self._target = target
        self._name = unit.name
        self._operations = {method: Operation(target, name) for method, name in _OPERATIONS.items()}
        self.methods = frozenset(method for method, operation in self._operations.items() if operation.exists)
        self.takes_protos = any(operation.has_raw for operation in self._operations.values())
        """Whether requests over gRPC are to be handed over as protobuf messages (`Message.raw_proto`)."""
        self._path = (str(unit.name), unit.image) if unit.image else None
        self._shows_metrics = is_true(env.get("INCLUDE_METRICS_IN_CLIENT_RESPONSE", "true"))
        self._predict_raw = own_method(target, "predict_raw")
        takes_bytes = self._predict_raw is not None and is_true(env.get("PAYLOAD_PASSTHROUGH", "false"))
        self.predict_bytes: PredictBytes | None = self._predict_bytes if takes_bytes else None
        self._tags = own_method(target, "tags")
        self._metrics = own_method(target, "metrics")
        self._adds_nothing = self._tags is None and self._metrics is None
        self._class_names = class_names_of(target)
        self._metadata = served_metadata(unit, own_method(target, "init_metadata"), env)

    def invoke(self, method: Method, message: Message) -> Message:
        """One operation on one message."""
        # As `_translating`, without its call: every unit of a graph comes by here.
        try:
            return self._invoke(method, message, self._class_names)
        except FairleadError:
            raise
        except Exception as error:
            raise translated(error) from error

    def _predict_bytes(self, body: bytes) -> bytes | Message | None:
        """`predict_raw` for a unit that wants bodies as they come (PAYLOAD_PASSTHROUGH)."""
        return _translating(self._pass_through, body)

    def aggregate(self, messages: list[Message]) -> Message:
        """One message from several; the encoding follows the first."""
        try:
            return self._aggregate(messages, self._class_names)
        except FairleadError:
            raise
        except Exception as error:
            raise translated(error) from error

    def feedback(self, reward: Reward) -> Message:
        """Hand a reward to the unit."""
        return _translating(self._feedback, reward)

    def health(self) -> Message:
        """What the unit says about itself; it raises when it is not well."""
        return _translating(self._health)

    def metadata(self) -> dict[str, Any]:
        """The model's description, or `BadMetadata` if what the unit gave at start was none."""
        return self._metadata()

    def close(self) -> None:
        """Nothing is held that the end of the process does not free."""

    def _invoke(self, method: Method, message: Message, class_names: ClassNames | None) -> Message:
        operation = self._operations[method]
        payload = message.payload
        if payload.form is _TENSORS:
            answer = self._invoke(method, _with_array(message), _nameless)
            answer.payload = self._as_tensors(answer.payload)
            return answer
        if operation.has_raw:
            raw = _asked_whole(operation, message)
            if raw is not ABSENT:
                return self._raw_answer(raw, sets_status=method is Method.PREDICT)
        features = payload.value
        # As `features_of`, without its call for what nearly all are.
        features = features.copy() if type(features) is np.ndarray else features_of(payload)
        names = payload.names
        if type(names) is list:
            names = names.copy()
        meta = meta_argument(message) if operation.takes_meta else None
        value = operation.call_with_meta(features, names, meta)
        if value is ABSENT:
            value = _value_without(method, features)
        if method is _ROUTE:
            return self._routed(value, message)
        if self._adds_nothing and type(value) is np.ndarray:
            # What `_answer` gives, for the usual case. Measured, the whole call: 2.2 us against 4.2 us.
            return Message(array_payload(value, payload.form, class_names), passed_on(message.meta, self._path))
        return self._answer(unpacked(value), payload.form, [message.meta], class_names)

    def _routed(self, value: Any, message: Message) -> Message:
        form = message.payload.form
        if self._adds_nothing and type(value) is int:
            return Message(array_payload(_branch(value), form, self._class_names), passed_on(message.meta, self._path))
        returned = unpacked(value)
        return self._answer(returned._replace(value=_as_branch(returned.value)), form, [message.meta])

    def _aggregate(self, messages: list[Message], class_names: ClassNames | None) -> Message:
        for message in messages:
            if message.payload.form is _TENSORS:
                answer = self._aggregate([_with_array(one) for one in messages], _nameless)
                answer.payload = self._as_tensors(answer.payload)
                return answer
        operation = self._operations[Method.AGGREGATE]
        if operation.has_raw:
            raw = _asked_for_all(operation, messages)
            if raw is not ABSENT:
                return self._raw_answer(raw)
        features = [features_of(message.payload) for message in messages]
        value = operation.call(features, [message.payload.names for message in messages])
        if value is ABSENT:
            raise BadData("Aggregate not defined")
        form = messages[0].payload.form if messages else Form.NONE
        metas = [message.meta for message in messages]
        if self._adds_nothing and type(value) is np.ndarray:
            return Message(array_payload(value, form, class_names), passed_on_by_all(metas, self._path))
        return self._answer(unpacked(value), form, metas, class_names)

    def _feedback(self, reward: Reward) -> Message:
        operation = self._operations[Method.FEEDBACK]
        if operation.has_raw:
            raw = _rewarded(operation, reward)
            if raw is not ABSENT:
                return self._raw_answer(raw)
        asked = None if reward.request is None else reward.request.payload
        truth = None if reward.truth is None else reward.truth.payload
        routing = None if reward.response is None else reward.response.meta.routing.get(self._name)
        names = [] if asked is None else asked.names
        value = operation.call(data_of(asked), names, reward.reward, data_of(truth), routing=routing)
        returned = unpacked([] if value is ABSENT or value is None else value)
        arrived = [] if reward.request is None else [reward.request.meta]
        return self._answer(returned, Form.NONE if asked is None else asked.form, arrived)

    def _health(self) -> Message:
        raw_status = own_method(self._target, "health_status_raw")
        raw = ABSENT if raw_status is None else first_answer((raw_status,))
        if raw is not ABSENT:
            return self._raw_answer(raw)
        status = own_method(self._target, "health_status")
        value = ABSENT if status is None else first_answer((status,))
        if value is ABSENT:
            inherits = any(is_component_base(kind) for kind in type(self._target).__mro__)
            value = "not implemented - assuming healthy" if inherits else "healthy"
        return self._answer(unpacked(value), Form.NONE, [])

    def _pass_through(self, body: bytes) -> bytes | Message | None:
        assert self._predict_raw is not None  # nobody is told of this way otherwise
        answer = first_answer((self._predict_raw,), body)
        if answer is ABSENT:
            return None
        if isinstance(answer, bytes | bytearray | memoryview):
            return bytes(answer)
        if isinstance(answer, dict):
            return self._raw_answer(answer, sets_status=True)
        raise BadData(
            f"with PAYLOAD_PASSTHROUGH, predict_raw must return bytes, or a dict like {{'data': …}}; "
            f"it returned {type(answer).__name__}"
        )

    def _answer(
        self, returned: Returned, asked: Form, arrived: list[Meta], class_names: ClassNames | None = None
    ) -> Message:
        payload = answer_payload(returned.value, asked, class_names or self._class_names)
        tags = [tags for tags in (self._own_tags(), returned.tags) if tags]
        reported = self._own_metrics()
        if returned.metrics:
            reported = reported + own_metrics.checked(returned.metrics)
        meta = merged_meta(arrived, tags=tags, metrics=reported if self._shows_metrics else [], path=self._path)
        return Message(payload, meta, own_metrics=reported)

    def _as_tensors(self, payload: Payload) -> Payload:
        return Payload(_TENSORS, as_tensors(payload, name=self._output_name))

    def _own_tags(self) -> dict[str, Any]:
        if self._tags is None:
            return {}
        tags = first_answer((self._tags,))
        return {} if tags is ABSENT or tags is None else dict(tags)

    def _own_metrics(self) -> list[dict[str, Any]]:
        if self._metrics is None:
            return []
        metrics = first_answer((self._metrics,))
        return [] if metrics is ABSENT else own_metrics.checked(metrics)

    def _raw_answer(self, raw: Any, *, sets_status: bool = False) -> Message:
        """A message sent as the user wrote it; only its metrics are looked at, and hidden if clients may not see
        them."""
        if hasattr(raw, "DESCRIPTOR"):
            return self._proto_answer(raw)
        if not isinstance(raw, dict):
            raise BadData(f"a raw method must return a dict like {{'data': …}}, not {type(raw).__name__}: {raw!r}")
        meta = raw.get("meta")
        reported = own_metrics.checked(meta.get("metrics")) if isinstance(meta, dict) else []
        if reported and not self._shows_metrics:
            raw = {**raw, "meta": {key: value for key, value in raw["meta"].items() if key != "metrics"}}
        message = _decoded(raw)
        message.own_metrics = reported
        if sets_status:
            message.http_status = _status_code(raw)
        return message

    def _proto_answer(self, raw: Any) -> Message:
        from fairlead.protocols import seldon_proto

        if not seldon_proto.is_message(raw):
            raise BadData(f"a raw method must return a SeldonMessage or a dict, not {type(raw).__name__}")
        message = seldon_proto.message_of(raw)
        message.own_metrics = own_metrics.checked(message.meta.metrics)
        if message.own_metrics and not self._shows_metrics:
            raw = type(raw).FromString(raw.SerializeToString())
            raw.meta.ClearField("metrics")
            message.meta.metrics = []
        message.raw_proto = raw
        return message


def _asked_whole(operation: Operation, message: Message) -> Any:
    """What the methods that want the whole message say; a proto that came over gRPC is the method's own."""
    if message.raw_proto is None:
        return operation.call_raw(_raw_message(message))
    return operation.call_proto(message.raw_proto)


def _asked_for_all(operation: Operation, messages: list[Message]) -> Any:
    if not messages or any(message.raw_proto is None for message in messages):
        return operation.call_raw({"seldonMessages": [_raw_message(message) for message in messages]})
    from fairlead.protocols import seldon_proto

    return operation.call_proto(seldon_proto.proto_list_of(messages))


def _rewarded(operation: Operation, reward: Reward) -> Any:
    if reward.raw_proto is None:
        return operation.call_raw(own_copy(reward.raw))
    from fairlead.protocols import seldon_proto

    return operation.call_proto(seldon_proto.feedback_proto_of(reward))


def _nameless() -> list[str]:
    """Tensors have no column names, and a wide one would get millions."""
    return []


def _with_array(message: Message) -> Message:
    """The message with its tensors as the one array that methods of this convention know."""
    if message.payload.form is not _TENSORS:
        return message
    asked = message.asked
    is_table = asked is not None and asked.parameters.get("content_type") == "pd"
    return Message(as_array_payload(message.payload, is_table=is_table), message.meta, asked=asked)


def _translating(work: Callable[..., T], *arguments: Any) -> T:
    """Run it; an exception of user code leaves as the error its client knows."""
    try:
        return work(*arguments)
    except FairleadError:
        raise
    except Exception as error:
        raise translated(error) from error


def class_names_of(target: object) -> Any:
    """Gives the column names of a target's 2-d answers, `None` when it names none. A plain attribute works too."""
    given = getattr(target, "class_names", None)
    if given is None:
        return None
    if not callable(given):
        fixed = _name_list(given)
        return lambda: fixed
    method = own_method(target, "class_names")
    if method is None:
        return None

    def ask() -> Any:
        names = first_answer((method,))
        return None if names is ABSENT else _name_list(names)

    return ask


def _name_list(names: Any) -> Any:
    return names.tolist() if isinstance(names, np.ndarray) else names


def unpacked(value: Any) -> Returned:
    """A returned value, taken out of its `SeldonResponse` (ours, or that of an installed `seldon_core`)."""
    kind = type(value)
    if kind.__name__ == "SeldonResponse" and "seldon" in kind.__module__:
        return Returned(value.data, value.tags, value.metrics)
    return Returned(value)


def _value_without(method: Method, features: Any) -> Any:
    """What an operation gives that the user did not write."""
    if method is Method.ROUTE:
        raise BadData("Route not defined")
    if method is Method.EXPLAIN:
        raise not_explained()
    return [] if method is Method.PREDICT else features


@functools.lru_cache(maxsize=64)
def _branch(value: int) -> np.ndarray[Any, Any]:
    """A router's usual answer, made once: nobody may write into it."""
    branch = np.array([[value]])
    branch.flags.writeable = False
    return branch


def _as_branch(value: Any) -> np.ndarray[Any, Any]:
    """A router's answer as the array that travels; numpy's integers are integers too."""
    if not isinstance(value, int | np.integer):
        raise BadData(f"Routing response must be int but got {value}")
    return np.array([[int(value)]])


def _raw_message(message: Message) -> dict[str, Any]:
    """A message as the JSON object it came from, or would be sent as: a copy, because methods write into it."""
    raw: dict[str, Any] = own_copy(to_object(message))
    return raw


def _decoded(raw: dict[str, Any]) -> Message:
    try:
        return decode(raw)
    except BadRequest:
        # A status without data, say: nothing for the next unit to work on, but the client gets it as it is.
        return Message(Payload(Form.NONE, raw), raw=raw)


def _status_code(raw: dict[str, Any]) -> int:
    status = raw.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    return code if isinstance(code, int) and 200 <= code <= 599 else 200
