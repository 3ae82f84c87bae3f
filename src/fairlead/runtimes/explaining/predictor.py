"""The model that is explained: asked where it is served, with rows, for numbers."""

import copy
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from fairlead.errors import ClientGone, LoadError, UnitFailed
from fairlead.plan.model import Upstream
from fairlead.protocols.message import Message
from fairlead.runtimes.base import LoadContext
from fairlead.runtimes.parameters import as_arguments
from fairlead.runtimes.upstream import Caller, Place

Array = np.ndarray[Any, Any]
_MOST_ROWS = 4096
"""Rows of one call: an explanation asks about tens of thousands, which would be a body of megabytes."""


class Predictor:
    """One model over V1 or V2. `output` is the V2 output that is explained, empty for the first of numbers."""

    def __init__(self, name: str, place: Place, *, protocol: str, output: str = "") -> None:
        self._name, self._output = name, output
        self._is_v2 = protocol in ("v2", "grpc-v2")
        self._caller = Caller(place)
        self._labels: list[str] = []
        self._headers: Mapping[str, str] = {}
        self._is_stopped = threading.Event()

    def for_request(self, headers: Mapping[str, str]) -> "Predictor":
        """The same for the calls that one request leads to, which are made with its headers."""
        own = copy.copy(self)
        own._headers, own._is_stopped = headers, threading.Event()
        return own

    def stop(self) -> None:
        """Ask nothing more: whoever wanted to know is gone."""
        self._is_stopped.set()

    def predictions(self, rows: Array) -> Any:
        """The model's own answer to rows, as JSON has it."""
        return self._ask(rows)

    def numbers(self, rows: Array) -> Array:
        """The answer as numbers, `[n]` or `[n, outputs]`. Names of classes become one output for each name, 1 where the
        model chose it: the classes are those it has answered with so far."""
        parts = [self._ask(rows[start : start + _MOST_ROWS]) for start in range(0, len(rows), _MOST_ROWS)]
        answers = [row for part in parts for row in part]
        if answers and isinstance(answers[0], str):
            return self._one_hot(answers)
        try:
            return np.asarray(answers, dtype=np.float64)
        except (TypeError, ValueError):
            raise UnitFailed(
                f"model {self._name} answers {str(answers[0])[:80]} for a row; only numbers, lists of numbers and "
                "names of classes can be explained"
            ) from None

    def close(self) -> None:
        """Let go of the connections."""
        self._caller.close()

    def _ask(self, rows: Array) -> list[Any]:
        if self._is_stopped.is_set():
            raise ClientGone
        if self._is_v2:
            return self._ask_v2(rows)
        answer = self._caller.post_json(f"/v1/models/{self._name}:predict", {"instances": rows.tolist()}, self._headers)
        found = answer.get("predictions") if isinstance(answer, dict) else None
        return self._as_many(found, rows)

    def _ask_v2(self, rows: Array) -> list[Any]:
        table = np.asarray(rows, dtype=np.float64)
        given = {"name": "input-0", "shape": list(table.shape), "datatype": "FP64", "data": table.ravel().tolist()}
        asked: dict[str, Any] = {"inputs": [given]}
        if self._output:
            asked["outputs"] = [{"name": self._output}]
        answer = self._caller.post_json(f"/v2/models/{self._name}/infer", asked, self._headers)
        outputs = answer.get("outputs") if isinstance(answer, dict) else None
        chosen = next((one for one in outputs or () if not self._output or one.get("name") == self._output), None)
        if chosen is None:
            raise UnitFailed(f"model {self._name} answers without the output {self._output or 'that is explained'}")
        data = chosen["data"]
        shaped = np.asarray(data, dtype=object if chosen["datatype"] == "BYTES" else np.float64).reshape(
            chosen["shape"]
        )
        if shaped.ndim == 2 and shaped.shape[1] == 1:
            shaped = shaped[:, 0]
        return self._as_many(shaped.tolist(), rows)

    def _as_many(self, found: Any, rows: Array) -> list[Any]:
        if not isinstance(found, list) or len(found) != len(rows):
            count = len(found) if isinstance(found, list) else "no"
            raise UnitFailed(f"model {self._name} gave {count} predictions for {len(rows)} rows")
        return found

    def _one_hot(self, answers: list[str]) -> Array:
        for label in answers:
            if label not in self._labels:
                self._labels.append(label)
        return np.array([[float(label == name) for name in self._labels] for label in answers])


def headers_of(message: Message) -> dict[str, str]:
    """The headers of a request."""
    headers = message.asked.headers if message.asked is not None else ()
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def predictor_of(context: LoadContext) -> Predictor:
    """The predictor that the manifest names. Raises `LoadError` when it names none."""
    unit, arguments = context.unit, as_arguments(context.unit)
    upstream = unit.upstream
    if upstream is None and arguments.get("predictor_host"):
        protocol = str(arguments.get("predictor_protocol") or "v1")
        upstream = Upstream(host=str(arguments["predictor_host"]), protocol=protocol)
    if upstream is None:
        raise LoadError(f"unit {unit.name}: an explainer needs a predictor: predictor_host is not set")
    timeout_s = float(arguments.get("predictor_request_timeout_seconds") or 600)
    place = Place(
        host=upstream.host,
        socket=context.inside if upstream.is_inside else "",
        is_tls=upstream.is_tls,
        timeout_s=timeout_s,
        headers=upstream.headers,
    )
    output = str(arguments.get("predictor_output") or "")
    return Predictor(str(unit.name), place, protocol=upstream.protocol, output=output)
