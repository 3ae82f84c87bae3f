"""What a fitted model can be compiled to: functions of rows that answer without the library it was trained with.

A compiler promises nothing; `compiled` compares every candidate with the model before it is used.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fairlead.runtimes.libraries import need

Array = np.ndarray[Any, Any]


class Candidate(NamedTuple):
    """A function that may answer in place of a model, and its name for the log. `dtype` is what it takes."""

    what: str
    dtype: type
    function: Callable[[Array], Array]


def to_onnx(model: Any, method: str, *, width: int, threads: int) -> Iterator[Candidate]:
    """A graph for ONNX Runtime, in double width first: it is closer where the library computes in it, as linear
    models do, and worse where it does not, as trees do."""
    need("skl2onnx", extra="compile")
    types = need("skl2onnx.common.data_types", extra="compile")
    runtime = need("onnxruntime", extra="compile")
    classifier = getattr(model, "classes_", None) is not None
    for dtype, kind in ((np.float64, types.DoubleTensorType), (np.float32, types.FloatTensorType)):
        try:
            graph = _graph(model, kind([None, width]), is_classifier=classifier)
            session = runtime.InferenceSession(
                graph, sess_options=_options(runtime, threads), providers=["CPUExecutionProvider"]
            )
        except Exception:
            if dtype is np.float32:
                raise
            continue  # not every operator knows both widths
        output = session.get_outputs()[1 if method == "predict_proba" else 0].name
        yield Candidate(f"ONNX ({np.dtype(dtype).name})", dtype, _asker(session, output))


def _graph(model: Any, kind: Any, *, is_classifier: bool) -> bytes:
    converter = need("skl2onnx", extra="compile")
    options = {id(model): {"zipmap": False}} if is_classifier else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = converter.to_onnx(model, initial_types=[("rows", kind)], options=options)
    content: bytes = converted.SerializeToString()
    return content


def _options(runtime: Any, threads: int) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; what the optimiser thinks of the graph helps nobody
    return options


def _asker(session: Any, output: str) -> Callable[[Array], Array]:
    names = [output]
    run = session.run

    def ask(rows: Array) -> Array:
        return np.asarray(run(names, {"rows": rows})[0])

    return ask


def to_treelite(model: Any, method: str, *, width: int, threads: int) -> Iterator[Candidate]:  # noqa: ARG001 - a seam
    """Treelite's form of a forest, answered by its own interpreter, which takes no C compiler."""
    treelite = need("treelite", extra="compile")
    forest = _forest(treelite, model)
    dtype = np.float64 if forest.input_type == "float64" else np.float32
    predict = need("treelite.gtil", extra="compile").predict
    classes = getattr(model, "classes_", None)

    def ask(rows: Array) -> Array:
        given = predict(forest, rows.astype(dtype, copy=False), nthread=threads)
        scores = given.reshape(len(rows), -1)
        if classes is None:
            return np.asarray(scores)
        if scores.shape[1] == 1:
            scores = np.column_stack([1 - scores[:, 0], scores[:, 0]])
        return np.asarray(scores if method == "predict_proba" else classes[scores.argmax(axis=1)])

    yield Candidate("treelite", dtype, ask)
    if dtype is np.float64:
        # scikit-learn keeps thresholds in double width and rounds the rows it compares with them.
        yield Candidate("treelite (float32 rows)", np.float32, ask)


def _forest(treelite: Any, model: Any) -> Any:
    module = type(model).__module__.partition(".")[0]
    if module == "xgboost":
        return treelite.frontend.from_xgboost(model)
    if module == "lightgbm":
        return treelite.frontend.from_lightgbm(model)
    return need("treelite.sklearn", extra="compile").import_model(model)
