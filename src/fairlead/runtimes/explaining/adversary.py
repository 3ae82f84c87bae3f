"""The smallest change that deceives an image classifier: KServe's ART explainer, with the adversarial robustness
toolbox.

A request is an image and its label, one hot: `{"instances": [image, label]}`. The attack asks the predictor about
images like it, until one is taken for something else.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, ConfigError, FairleadError, UnitFailed
from fairlead.plan.model import Method
from fairlead.protocols.message import Form, Message, Payload, Reward
from fairlead.runtimes.answers import merged_meta, passed_on
from fairlead.runtimes.base import Columns, Done, LoadContext, PredictBytes, Repository, Rows, Servable, TensorSpec
from fairlead.runtimes.explaining.predictor import Array, Predictor, headers_of, predictor_of
from fairlead.runtimes.explaining.side_by_side import SideBySide
from fairlead.runtimes.failures import BadData
from fairlead.runtimes.libraries import need
from fairlead.runtimes.metadata import served_metadata
from fairlead.runtimes.parameters import Scalar, as_arguments

KINDS = ("SquareAttack",)


def load(context: LoadContext) -> Servable:
    """The explainer of a unit. Raises `ConfigError` for an attack that is not one of `KINDS`."""
    asked = as_arguments(context.unit)
    kind = str(asked.get("adversary_type") or KINDS[0])
    if kind.lower() not in {known.lower() for known in KINDS}:
        raise ConfigError(f"unit {context.unit.name}: adversary_type must be one of {', '.join(KINDS)}, got {kind!r}")
    need("art.estimators.classification", extra="art")
    return AdversaryUnit(
        context,
        predictor_of(context),
        classes=_count(asked, "nb_classes", 10, unit=context.unit.name),
        rounds=_count(asked, "max_iter", 1000, unit=context.unit.name),
    )


class AdversaryUnit:
    """A `Servable` that finds an image near the given one which the predictor takes for something else."""

    rows: Rows | None = None
    columns: Columns | None = None
    predict_bytes: PredictBytes | None = None
    repository: Repository | None = None
    methods = frozenset((Method.EXPLAIN,))
    awaited = methods
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    platform = "art"

    def __init__(self, context: LoadContext, predictor: Predictor, *, classes: int, rounds: int) -> None:
        unit = context.unit
        self._name, self._predictor, self._classes, self._rounds = str(unit.name), predictor, classes, rounds
        self._path = (str(unit.name), unit.image) if unit.image else None
        self._metadata = served_metadata(unit, None, context.env)
        self._side_by_side = SideBySide(self._name, predictor)

    def invoke(self, method: Method, message: Message) -> Message:
        """The deceiving image, how far it is from the given one, and what the predictor takes both for."""
        return self._answer(method, message, self._predictor.for_request(headers_of(message)))

    def begin(self, method: Method, message: Message, done: Done) -> Callable[[], None]:
        """The same without holding the caller's thread."""
        return self._side_by_side.begin(partial(self._answer, method, message), headers_of(message), done)

    def _answer(self, method: Method, message: Message, predictor: Predictor) -> Message:
        if method is not Method.EXPLAIN:
            raise BadData(f"an explainer has no {method.value}")
        image, label = self._given(message)
        try:
            found = self._attacked(image, label, predictor)
        except FairleadError:
            raise
        except Exception as error:  # whatever the library makes of an image that it cannot change
            raise UnitFailed(f"{type(error).__name__} : {error}") from error
        answer = Payload(Form.JSON, {"explanations": found})
        return Message(answer, passed_on(message.meta, self._path))

    def aggregate(self, messages: list[Message]) -> Message:  # noqa: ARG002 - the seam's signature
        """An explainer combines nothing."""
        raise BadData("Aggregate not defined")

    def feedback(self, reward: Reward) -> Message:  # noqa: ARG002 - the seam's signature
        """It learns nothing."""
        return self.health()

    def health(self) -> Message:
        """It is well; whether its predictor is, that one tells."""
        return Message(Payload(Form.STRING, "healthy"), merged_meta([], tags=(), metrics=[], path=self._path))

    def metadata(self) -> dict[str, Any]:
        """What its environment says of it."""
        return dict(self._metadata())

    def close(self) -> None:
        """Let go of the threads and the predictor."""
        self._side_by_side.close()

    def _given(self, message: Message) -> tuple[Array, Array]:
        instances = message.raw.get("instances") if message.raw is not None else message.payload.value
        if not isinstance(instances, list) or len(instances) != 2:
            raise BadRequest(f"model {self._name}: expected instances to be an image and its label, one hot")
        try:
            return np.asarray(instances[0], dtype=np.float32), np.asarray(instances[1], dtype=np.float32)
        except (TypeError, ValueError):
            raise BadRequest(f"model {self._name}: the image and its label have to be arrays of numbers") from None

    def _attacked(self, given: Array, label: Array, predictor: Predictor) -> dict[str, Any]:
        image = _pictured(given)
        attacks = need("art.attacks.evasion", extra="art")
        estimators = need("art.estimators.classification", extra="art")
        classifier = estimators.BlackBoxClassifierNeuralNetwork(
            partial(self._scores, predictor, given.shape[1:]),
            image.shape[1:],
            self._classes,
            channels_first=False,
            clip_values=(-np.inf, np.inf),
        )
        before = int(np.argmax(classifier.predict(image)))
        attack = attacks.SquareAttack(estimator=classifier, max_iter=self._rounds, verbose=False)
        deceiving = attack.generate(x=image, y=label)
        return {
            "adversarial_example": deceiving.reshape(given.shape).tolist(),
            "L2 error": float(np.linalg.norm((deceiving[0] - image[0]).ravel())),
            "adversarial_prediction": int(np.argmax(classifier.predict(deceiving))),
            "prediction": before,
        }

    def _scores(self, predictor: Predictor, shape: tuple[int, ...], images: Array) -> Array:
        """The predictor's answers as a score for each class, whether it answers with scores or with classes. It gets
        images in the shape of the request's."""
        found = predictor.numbers(images.reshape(len(images), *shape))
        if found.ndim == 2:
            return found
        scores: Array = np.eye(self._classes)[found.astype(int).clip(0, self._classes - 1)]
        return scores


def _pictured(given: Array) -> Array:
    """An image that came as a row of numbers, as models of scikit-learn want it: a square of one channel."""
    side = math.isqrt(given.shape[-1]) if given.ndim == 2 else 0
    return given.reshape(len(given), side, side, 1) if side and side * side == given.shape[-1] else given


def _count(asked: dict[str, Scalar], name: str, default: int, *, unit: str) -> int:
    value = str(asked.get(name) or default)
    if not value.isdigit() or not int(value):
        raise ConfigError(f"unit {unit}: {name} must be a whole number of 1 or more, got {value!r}")
    return int(value)
