"""Asks Prometheus and Graphite for the metrics that a manifest scales by. Answers are one number."""

import math
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairlead.errors import FairleadError, NotReady
from fairlead.plan.scaling import MetricTarget

if TYPE_CHECKING:
    import aiohttp

_PATIENCE_S = 10.0
_GRAPHITE_SINCE = "-5min"


class Questions:
    """A client for as long as the loop runs. `close` when it ends."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, target: MetricTarget) -> float:
        """The query's value now; no series is zero. Raises `NotReady` with the reason when there is no answer that
        means a number."""
        path, parameters = _question(target)
        answer = await self._fetch(target, path, parameters)
        try:
            value = _graphite(answer) if target.server == "graphite" else _prometheus(answer)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise NotReady(f"{_name(target)} answered what is no number: {error}") from error
        if not math.isfinite(value):
            return 0.0  # a division by no requests at all, usually
        return value

    async def close(self) -> None:
        """End connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _fetch(self, target: MetricTarget, path: str, parameters: dict[str, str]) -> Any:
        # With the first question: few policies ask anything, and this import is a tenth of control's start.
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE_S))
        url = target.address.rstrip("/") + path
        try:
            async with self._session.get(url, params=parameters) as response:
                if response.status != 200:
                    raise NotReady(f"{_name(target)} answered {response.status} to the query {target.query}")
                return await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            if isinstance(error, FairleadError):
                raise
            raise NotReady(f"{_name(target)} cannot be asked: {error or type(error).__name__}") from error


def _question(target: MetricTarget) -> tuple[str, dict[str, str]]:
    if target.server == "graphite":
        return "/render", {"target": target.query, "from": _GRAPHITE_SINCE, "format": "json"}
    extra = {"namespace": target.namespace} if target.namespace else {}
    return "/api/v1/query", {"query": target.query, **extra}


def _prometheus(answer: Any) -> float:
    data = answer["data"]
    if data["resultType"] in ("scalar", "string"):
        return float(data["result"][1])
    series = data["result"]
    if len(series) > 1:
        raise ValueError(f"{len(series)} series; aggregate them in the query")
    return float(series[0]["value"][1]) if series else 0.0


def _graphite(answer: Any) -> float:
    if len(answer) > 1:
        raise ValueError(f"{len(answer)} series; aggregate them in the query")
    points = [value for value, _ in answer[0]["datapoints"] if value is not None] if answer else []
    return float(points[-1]) if points else 0.0


def _name(target: MetricTarget) -> str:
    parts = urlsplit(target.address)
    return f"{target.server or 'prometheus'} at {parts.hostname or target.address}"
