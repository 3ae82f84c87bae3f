"""Shapley values of tabular models: how much each feature moved a prediction away from what is usual.

Two ways. A model of trees whose file the explainer has is explained exactly and fast, asking nobody (TreeSHAP). Any
other is asked for its predictions on rows in which some features are replaced by those of a background table
(KernelSHAP); the same rows with the same seed get the same answer.
"""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, ConfigError, FairleadError, LoadError, UnitFailed
from fairlead.plan.model import Method
from fairlead.protocols.message import Form, Message, Payload, Reward
from fairlead.protocols.tensors import DEFAULT_INPUT, as_array_payload, tensor
from fairlead.runtimes.answers import merged_meta, passed_on
from fairlead.runtimes.base import Columns, Done, LoadContext, PredictBytes, Repository, Rows, Servable, TensorSpec
from fairlead.runtimes.explaining.background import NAMES, Array, find_background, read_background
from fairlead.runtimes.explaining.predictor import Predictor, headers_of, predictor_of
from fairlead.runtimes.explaining.side_by_side import SideBySide, Turn
from fairlead.runtimes.explaining.trees import find_trees, read_trees
from fairlead.runtimes.failures import BadData
from fairlead.runtimes.libraries import need
from fairlead.runtimes.metadata import served_metadata
from fairlead.runtimes.parameters import Scalar, as_arguments

KINDS = ("auto", "kernel", "tree")
LINKS = ("identity", "logit")
_MOST_BACKGROUND = 50
"""Rows of the background that a request is multiplied with; larger tables are summarised by as many means."""

Explain = Callable[[Array, Predictor], tuple[Array, Array]]
"""Rows to values `[n, outputs, features]` and base values `[n, outputs]`. Called by several threads at once."""


def load(context: LoadContext) -> Servable:
    """The explainer of a unit. Raises `LoadError` when there is neither a background nor a model of trees."""
    shap = need("shap", extra="explain")
    unit, asked = context.unit, as_arguments(context.unit)
    kind = _choice(asked, "explainer", KINDS, unit=unit.name)
    predictor = predictor_of(context)
    path = find_background(context.folder)
    background, names = read_background(path, unit=unit.name) if path is not None else (None, [])
    names = _names(asked) or names
    trees = find_trees(context.folder, path) if kind != "kernel" else None
    if trees is not None:
        explain, width = _by_trees(shap, read_trees(trees, unit=unit.name), background, asked, unit=unit.name)
    elif kind == "tree" or background is None:
        raise _nothing_to_go_by(kind, context.folder, unit=unit.name)
    else:
        explain, width = _by_kernel(shap, background, asked, unit=unit.name), background.shape[1]
    return ShapleyUnit(context, predictor, explain, width=width, names=names)


class ShapleyUnit:
    """A `Servable` that explains, and hands predictions on to the model."""

    rows: Rows | None = None
    columns: Columns | None = None
    predict_bytes: PredictBytes | None = None
    repository: Repository | None = None
    methods = frozenset((Method.PREDICT, Method.EXPLAIN))
    awaited = methods
    outputs: tuple[TensorSpec, ...] = (
        TensorSpec(name="shap_values", datatype="FP64", shape=(-1, -1, -1)),
        TensorSpec(name="base_values", datatype="FP64", shape=(-1, -1)),
    )
    platform = "shap"

    def __init__(
        self, context: LoadContext, predictor: Predictor, explain: Explain, *, width: int, names: list[str]
    ) -> None:
        unit = context.unit
        self._name, self._predictor, self._explain_rows = str(unit.name), predictor, explain
        self._width, self._names = width, names if len(names) == width else []
        self._path = (str(unit.name), unit.image) if unit.image else None
        self._metadata = served_metadata(unit, None, context.env)
        self.inputs: tuple[TensorSpec, ...] = (TensorSpec(name=DEFAULT_INPUT, datatype="FP64", shape=(-1, width)),)
        self._side_by_side = SideBySide(self._name, predictor)

    def invoke(self, method: Method, message: Message) -> Message:
        """An explanation of each row, or the model's predictions."""
        return self._answer(method, message, self._predictor.for_request(headers_of(message)))

    def begin(self, method: Method, message: Message, done: Done) -> Callable[[], None]:
        """The same without holding the caller's thread."""
        return self._side_by_side.begin(partial(self._answer, method, message), headers_of(message), done)

    def aggregate(self, messages: list[Message]) -> Message:  # noqa: ARG002 - the seam's signature
        """An explainer combines nothing."""
        raise BadData("Aggregate not defined")

    def feedback(self, reward: Reward) -> Message:
        """It learns nothing."""
        arrived = [] if reward.request is None else [reward.request.meta]
        return Message(Payload(Form.NDARRAY, np.array([])), merged_meta(arrived, tags=(), metrics=[], path=self._path))

    def health(self) -> Message:
        """It is well; whether its predictor is, that one tells."""
        return Message(Payload(Form.STRING, "healthy"), merged_meta([], tags=(), metrics=[], path=self._path))

    def metadata(self) -> dict[str, Any]:
        """What it takes and gives."""
        known = dict(self._metadata())
        for key, specs in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not known.get(key):
                known[key] = [{"name": s.name, "datatype": s.datatype, "shape": list(s.shape)} for s in specs]
        return known

    def close(self) -> None:
        """Let go of the threads and the predictor."""
        self._side_by_side.close()

    def _answer(self, method: Method, message: Message, predictor: Predictor) -> Message:
        if method not in self.methods:
            raise BadData(f"an explainer has no {method.value}")
        rows = self._rows_of(message)
        if method is Method.PREDICT:
            answer = Payload(Form.NDARRAY, np.asarray(predictor.predictions(rows)))
        else:
            is_object = message.raw is not None  # of V1, whatever its rows were read as
            is_tensors = message.payload.form is Form.TENSORS and not is_object
            answer = self._explained(rows, predictor, is_tensors=is_tensors)
        return Message(answer, passed_on(message.meta, self._path))

    def _rows_of(self, message: Message) -> Array:
        payload = as_array_payload(message.payload, is_table=True)
        try:
            rows = np.asarray(payload.value, dtype=np.float64)
        except (TypeError, ValueError):
            raise BadRequest(f"model {self._name}: an explanation needs rows of numbers") from None
        rows = rows.reshape(1, -1) if rows.ndim == 1 else rows
        if rows.ndim != 2 or rows.shape[1] != self._width:
            shape = list(rows.shape)
            raise BadRequest(
                f"model {self._name}: expected rows of {self._width} features, got an array of shape {shape}"
            )
        return rows

    def _explained(self, rows: Array, predictor: Predictor, *, is_tensors: bool) -> Payload:
        try:
            values, base = self._explain_rows(rows, predictor)
        except FairleadError:
            raise
        except Exception as error:  # whatever the library makes of rows that it cannot explain
            raise UnitFailed(f"{type(error).__name__} : {error}") from error
        if is_tensors:
            return Payload(Form.TENSORS, [tensor("shap_values", values), tensor("base_values", base)])
        listed = [
            {"shap_values": one.tolist(), "base_values": bases.tolist(), "data": row.tolist()}
            | ({"feature_names": self._names} if self._names else {})
            for one, bases, row in zip(values, base, rows, strict=True)
        ]
        return Payload(Form.JSON, {"explanations": listed})


def _by_trees(
    shap: Any, model: Any, background: Array | None, asked: Mapping[str, Scalar], *, unit: str
) -> tuple[Explain, int]:
    output = str(asked.get("model_output") or "raw")
    data = None if output == "raw" else background
    try:
        explainer = shap.TreeExplainer(model, data=data, model_output=output)
        width = int(explainer.model.num_features if hasattr(explainer.model, "num_features") else 0)
    except Exception as error:  # the library has an exception of its own for every model that it does not know
        raise LoadError(f"unit {unit}: TreeSHAP cannot explain a {type(model).__name__}: {error}") from error
    width = width or int(getattr(model, "n_features_in_", 0)) or (background.shape[1] if background is not None else 0)

    turn = threading.Lock()

    def explain(rows: Array, _: Predictor) -> tuple[Array, Array]:
        with turn:  # the library keeps what it works on in its own objects
            found = explainer(rows, check_additivity=False)
        values = _by_output(np.asarray(found.values))
        return values, np.asarray(found.base_values, dtype=np.float64).reshape(len(rows), values.shape[1])

    return explain, width


def _by_kernel(shap: Any, background: Array, asked: Mapping[str, Scalar], *, unit: str) -> Explain:
    link = _choice(asked, "link", LINKS, unit=unit)
    samples = asked.get("nsamples") or "auto"
    if samples != "auto" and not str(samples).isdigit():
        raise ConfigError(f"unit {unit}: nsamples must be auto or a whole number, got {samples!r}")
    most = int(asked.get("max_background") or _MOST_BACKGROUND)
    data = shap.kmeans(background, most) if len(background) > most else background
    seed, turn, free = int(asked.get("seed") or 0), Turn(), list[_Kernel]()

    def explain(rows: Array, predictor: Predictor) -> tuple[Array, Array]:
        with turn.taken(seed):
            # Made with the requests: each asks the predictor, which need not be there when the explainer starts.
            kernel = free.pop() if free else _Kernel(shap, data, turn, predictor, link=link, seed=seed)
            try:
                found = kernel.explain(rows, predictor, "auto" if samples == "auto" else int(samples))
            finally:
                free.append(kernel)
        return found

    return explain


class _Kernel:
    """One explainer of the library, which keeps what it works on in itself: for one request at a time."""

    def __init__(self, shap: Any, data: Any, turn: Turn, predictor: Predictor, *, link: str, seed: int) -> None:
        self._turn = turn
        self._predictor = predictor
        self._explainer = shap.KernelExplainer(self._numbers, data, link=link, seed=seed)

    def explain(self, rows: Array, predictor: Predictor, samples: int | str) -> tuple[Array, Array]:
        """Values and base values of rows."""
        self._predictor = predictor
        values = self._explainer.shap_values(rows, nsamples=samples, silent=True)
        usual = np.atleast_1d(np.asarray(self._explainer.expected_value, dtype=np.float64))
        return _by_output(np.asarray(values)), np.tile(usual, (len(rows), 1))

    def _numbers(self, rows: Array) -> Array:
        with self._turn.given_up():
            return self._predictor.numbers(rows)


def _by_output(values: Array) -> Array:
    """Values of one output (`[n, features]`) or of several (`[n, features, outputs]`) as `[n, outputs, features]`."""
    values = values[:, np.newaxis, :] if values.ndim == 2 else np.moveaxis(values, 2, 1)
    return np.ascontiguousarray(values, dtype=np.float64)


def _choice(asked: Mapping[str, Scalar], name: str, accepted: tuple[str, ...], *, unit: str) -> str:
    found = str(asked.get(name) or accepted[0])
    if found not in accepted:
        raise ConfigError(f"unit {unit}: {name} must be one of {', '.join(accepted)}, got {found!r}")
    return found


def _names(asked: Mapping[str, Scalar]) -> list[str]:
    return [name.strip() for name in str(asked.get("feature_names") or "").split(",") if name.strip()]


def _nothing_to_go_by(kind: str, folder: Path | None, *, unit: str) -> LoadError:
    where = "storageUri is not set" if folder is None else f"its folder holds neither (found {_listed(folder)})"
    needs = f"a table to compare with ({', '.join(NAMES)})"
    if kind == "tree":
        needs = "the model's file, of trees"
    elif kind == "auto":
        needs = f"{needs} or the file of a model of trees"
    return LoadError(f"unit {unit}: an explanation needs {needs} in the explainer's storageUri; {where}")


def _listed(folder: Path) -> str:
    return ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
