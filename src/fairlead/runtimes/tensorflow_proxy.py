"""A TensorFlow model as Seldon's TENSORFLOW_SERVER offers it to clients of Seldon's protocol.

There a proxy stands before TensorFlow Serving and hands requests on: `jsonData` with `instances` or `inputs` is a
request of TensorFlow Serving and its answer comes back as `jsonData`, errors included; arrays are `instances`. Here the
model is in this process, so nothing is handed on, and what clients see is the same.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.errors import BadRequest
from fairlead.plan.model import Method, Unit
from fairlead.protocols import jsontext
from fairlead.protocols.message import Asked, Form, Message, Output, Payload
from fairlead.protocols.seldon_v1 import column_names
from fairlead.protocols.tensorflow_rest import COLUMNS, ROWS, TENSORFLOW_JSON, request_of
from fairlead.runtimes.base import TensorModel
from fairlead.runtimes.parameters import as_arguments
from fairlead.runtimes.tensor_unit import TensorUnit

_PREDICTS = frozenset((Method.PREDICT, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT))


class TensorflowProxy(TensorUnit):
    """`model_output` is the output to answer arrays with, for models of several."""

    def __init__(self, model: TensorModel, unit: Unit, *, env: Mapping[str, str] | None = None) -> None:
        super().__init__(model, unit, env=env)
        output = str(as_arguments(unit).get("model_output") or "")
        self._asked = Asked(outputs=[Output(output)]) if any(spec.name == output for spec in model.outputs) else None
        if any(len(spec.shape) == 1 for spec in model.outputs):
            self.rows = None  # a batch's answers would not be told apart once they are one row

    def invoke(self, method: Method, message: Message) -> Message:
        """The model's answer to one message of either kind."""
        payload = message.payload
        if method not in _PREDICTS or message.asked is not None:
            return super().invoke(method, message)
        if payload.form is Form.JSON and isinstance(payload.value, dict) and not _KEYS.isdisjoint(payload.value):
            return self._forwarded(method, message, payload.value)
        if not payload.is_array:
            return super().invoke(method, message)
        asked = Message(payload, message.meta, asked=self._asked)
        answer = super().invoke(method, asked)
        if answer.payload.is_array and answer.payload.value.ndim == 1:
            row = answer.payload.value.reshape(1, -1)
            answer.payload = Payload(answer.payload.form, row, column_names(None, row))
        return answer

    def _forwarded(self, method: Method, message: Message, value: dict[str, Any]) -> Message:
        """A request of TensorFlow Serving in `jsonData`. What it refuses is an answer too, as with the proxy."""
        try:
            request = request_of(value)
            request.meta = message.meta
            answer = super().invoke(method, request)
        except BadRequest as error:
            _, said = TENSORFLOW_JSON.failure(error)
            return Message(Payload(Form.JSON, jsontext.loads(said)), message.meta)
        written = TENSORFLOW_JSON.write_answer(answer, request.asked).data
        return Message(Payload(Form.JSON, jsontext.loads(written)), answer.meta)


_KEYS = frozenset((ROWS, COLUMNS))
