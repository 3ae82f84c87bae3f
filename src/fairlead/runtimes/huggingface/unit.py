"""A Hugging Face model as a unit: which question it is asked is the business of its answers (`pipeline_calls` for
MLServer's clients, `predictions` for KServe's)."""

from typing import Any, Protocol

import numpy as np

from fairlead.errors import FairleadError, UnitFailed
from fairlead.plan.model import Method
from fairlead.protocols.message import Asked, Form, Message, Meta, Payload, Reward
from fairlead.runtimes.answers import merged_meta, passed_on
from fairlead.runtimes.base import Columns, LoadContext, PredictBytes, Repository, Rows, TensorSpec
from fairlead.runtimes.failures import BadData, not_explained
from fairlead.runtimes.huggingface.encoding import Encoding
from fairlead.runtimes.huggingface.generating import Generating
from fairlead.runtimes.metadata import served_metadata

SERVED_NAME = "served_model_name"
"""The parameter that gives a model its name, which may have slashes as those of the Hugging Face Hub do."""
_NO_WISHES = Asked()


class Answers(Protocol):
    """Gives the answer to one request. Raises `BadRequest` for one that it cannot read."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def answer(self, message: Message, asked: Asked) -> Payload: ...


class HuggingFaceUnit:
    """A `Servable`. It predicts, whichever of the three passing methods asks."""

    rows: Rows | None = None
    columns: Columns | None = None
    predict_bytes: PredictBytes | None = None
    repository: Repository | None = None
    methods = frozenset((Method.PREDICT, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT))
    platform = "huggingface"

    def __init__(self, answers: Answers, context: LoadContext, openai: Generating | Encoding | None = None) -> None:
        unit = context.unit
        self.openai = openai
        self.called = _called(context)
        self._answers = answers
        self._path = (str(unit.name), unit.image) if unit.image else None
        self._metadata = served_metadata(unit, None, context.env)
        self.inputs = answers.inputs
        self.outputs = answers.outputs

    def invoke(self, method: Method, message: Message) -> Message:
        """The model's answer."""
        if method is Method.ROUTE:
            raise BadData("Route not defined")
        if method is Method.EXPLAIN:
            raise not_explained()
        try:
            payload = self._answers.answer(message, message.asked or _NO_WISHES)
        except FairleadError:
            raise
        except Exception as error:
            raise UnitFailed(f"{type(error).__name__}: {error}") from error
        return Message(payload, passed_on(message.meta, self._path))

    def aggregate(self, messages: list[Message]) -> Message:  # noqa: ARG002 - the seam's signature
        """A model combines nothing."""
        raise BadData("Aggregate not defined")

    def feedback(self, reward: Reward) -> Message:
        """An empty answer with the meta of what was rewarded."""
        arrived = [] if reward.request is None else [reward.request.meta]
        return self._said(Payload(Form.NDARRAY, np.array([])), arrived)

    def health(self) -> Message:
        """It is loaded, so it is well."""
        return self._said(Payload(Form.STRING, "healthy"), [])

    def metadata(self) -> dict[str, Any]:
        """What is known of its tensors, under whatever the unit's environment says of it."""
        known = dict(self._metadata())
        for key, specs in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not known.get(key):
                known[key] = [{"name": s.name, "datatype": s.datatype, "shape": list(s.shape)} for s in specs]
        known["platform"] = known.get("platform") or self.platform
        return known

    def close(self) -> None:
        """The threads end now, the model with the process."""
        if self.openai is not None:
            self.openai.close()

    def _said(self, payload: Payload, arrived: list[Meta]) -> Message:
        return Message(payload, merged_meta(arrived, tags=(), metrics=[], path=self._path))


def _called(context: LoadContext) -> str:
    """The name that clients know the model by, where it is another than the unit's; empty where it is not."""
    given = (one.value for one in context.unit.parameters if one.name == SERVED_NAME)
    return str(next(given, ""))
