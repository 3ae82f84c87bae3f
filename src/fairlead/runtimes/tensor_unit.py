"""Any tensor model as a unit the data plane can ask: the formats' modules write `TensorModel`, and this is the rest.

Tensors go in as they came. Messages of Seldon's convention become tensors first: an array is the only input, a JSON
object is its inputs by name. Answers follow the question: tensors for tensors, an array for an array.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, FairleadError, UnitFailed
from fairlead.plan.model import Method, Unit
from fairlead.protocols.message import Asked, Form, Message, Payload, Reward
from fairlead.protocols.seldon_v1 import answer_form, column_names
from fairlead.protocols.tensors import BYTES, DEFAULT_INPUT, Array, Tensor, as_tensors, tensor
from fairlead.runtimes.answers import merged_meta, passed_on
from fairlead.runtimes.base import Columns, PredictBytes, Repository, Rows, Signature, TensorModel, TensorSpec
from fairlead.runtimes.failures import BadData, not_explained
from fairlead.runtimes.metadata import served_metadata
from fairlead.runtimes.row_wise import RowFunction
from fairlead.runtimes.tensor_checks import cast

_NO_WISHES = Asked()


class TensorUnit:
    """A `Servable` around a tensor model. It predicts, whichever of the three passing methods asks; it neither routes,
    combines nor learns."""

    predict_bytes: PredictBytes | None = None
    repository: Repository | None = None
    called = ""
    """What clients call the model, where its file says so."""
    methods = frozenset((Method.PREDICT, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT))

    def __init__(self, model: TensorModel, unit: Unit, *, env: Mapping[str, str] | None = None) -> None:
        self._model = model
        self._name = unit.name
        self._path = (str(unit.name), unit.image) if unit.image else None
        self._metadata = served_metadata(unit, None, env or {})
        self.inputs = model.inputs
        self.outputs = model.outputs
        self.platform = model.platform
        self.version: str = getattr(model, "version", "")
        self.rows: Rows | None = self._rows()
        self.columns = _columns(model)

    def invoke(self, method: Method, message: Message) -> Message:
        """The model's answer to one message."""
        if method is Method.ROUTE:
            raise BadData("Route not defined")
        if method is Method.EXPLAIN:
            raise not_explained()
        asked = message.asked or _NO_WISHES
        wanted = [output.name for output in asked.outputs]
        given = self._infer(self._tensors(message.payload), wanted, asked)
        return Message(_answer(message, given), passed_on(message.meta, self._path))

    def aggregate(self, messages: list[Message]) -> Message:  # noqa: ARG002 - the seam's signature
        """A model combines nothing."""
        raise BadData("Aggregate not defined")

    def feedback(self, reward: Reward) -> Message:
        """An empty answer with the meta of what was rewarded."""
        arrived = [] if reward.request is None else [reward.request.meta]
        meta = merged_meta(arrived, tags=(), metrics=[], path=self._path)
        return Message(Payload(Form.NDARRAY, np.array([])), meta)

    def health(self) -> Message:
        return Message(Payload(Form.STRING, "healthy"), merged_meta([], tags=(), metrics=[], path=self._path))

    def metadata(self) -> dict[str, Any]:
        """What the model says of its tensors, under whatever the unit's environment says of it."""
        known = dict(self._metadata())
        for key, specs in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not known.get(key):
                known[key] = [{"name": s.name, "datatype": s.datatype, "shape": list(s.shape)} for s in specs]
        if not known.get("platform"):
            known["platform"] = self.platform
        if self.version and not known.get("versions"):
            known["versions"] = [self.version]
        return known

    def signatures(self) -> Mapping[str, Signature]:
        """The functions that a request may choose from by `asked.signature`; empty for models that have one."""
        offered: Callable[[], Mapping[str, Signature]] | None = getattr(self._model, "signatures", None)
        return {} if offered is None else offered()

    def close(self) -> None:
        self._model.close()

    def _infer(self, tensors: list[Tensor], wanted: list[str], asked: Asked) -> list[Tensor]:
        try:
            return self._model.infer(tensors, wanted, asked)
        except FairleadError:
            raise
        except Exception as error:
            raise UnitFailed(f"{type(error).__name__}: {error}") from error

    def _tensors(self, payload: Payload) -> list[Tensor]:
        if payload.form is Form.TENSORS:
            return payload.value  # type: ignore[no-any-return]  # the form says so
        if payload.form is Form.JSON and isinstance(payload.value, dict):
            return [self._fitting(name, value) for name, value in payload.value.items()]
        name = self.inputs[0].name if self.inputs else DEFAULT_INPUT
        if len(self.inputs) > 1:
            names = ", ".join(repr(spec.name) for spec in self.inputs)
            raise BadRequest(
                f"this model takes {len(self.inputs)} inputs ({names}); send a JSON object with these keys"
            )
        return [self._fitting(one.name, one.array) for one in as_tensors(payload, name=name)]

    def _fitting(self, name: str, value: Any) -> Tensor:
        """A value as the model's input of that name; numbers take the input's datatype, as JSON has no other way."""
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise BadRequest(f"tensor {name!r} is ragged: its rows differ in length") from error
        given = tensor(name, array)
        spec = next((spec for spec in self.inputs if spec.name == name), None)
        return given if spec is None else cast(given, spec)

    def _rows(self) -> Rows | None:
        """Rows of several requests may share a call when one numeric table goes in and one array comes out."""
        model = self._model
        if not model.is_row_wise or len(model.inputs) != 1 or len(model.outputs) != 1:
            return None
        spec, output = model.inputs[0], model.outputs[0]
        if spec.datatype == BYTES or len(spec.shape) < 2 or spec.shape[0] != -1 or output.shape[:1] != (-1,):
            return None

        def predict(rows: Array) -> Array:
            return model.infer([cast(tensor(spec.name, rows), spec)], [], _NO_WISHES)[0].array

        return RowFunction(predict, output_name=output.name)


def _answer(message: Message, given: list[Tensor]) -> Payload:
    form = message.payload.form
    # Protocols that leave `asked` know tensors, though one array may have come without a name.
    if form is Form.TENSORS or (len(given) != 1 and message.asked is not None):
        return Payload(Form.TENSORS, given)
    if len(given) == 1:
        array = given[0].array
        return Payload(answer_form(form, array), array, column_names(None, array))
    return Payload(Form.JSON, {one.name: _listed(one) for one in given})


def _listed(one: Tensor) -> Any:
    if one.datatype != BYTES:
        return one.array.tolist()
    texts = [value.decode(errors="replace") for value in one.array.reshape(-1)]
    return np.array(texts, dtype=np.object_).reshape(one.array.shape).tolist()


def _columns(model: TensorModel) -> Columns | None:
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 2 or model.inputs[0].shape[1] < 1:
        return None
    spec: TensorSpec = model.inputs[0]
    return Columns(count=spec.shape[1], whole="INT" in spec.datatype)
