"""Asking a predictor or explainer elsewhere over HTTP, as KServe's transformers do."""

from typing import Any

from fairlead.runtimes.kserve_shim import context
from fairlead.runtimes.kserve_shim.predictor_config import PredictorConfig
from fairlead.runtimes.upstream import Place
from fairlead.runtimes.upstream_calls import AsyncCallers

_callers = AsyncCallers()


def place_of(host: str, config: PredictorConfig) -> Place:
    """Where a host is: one of our own services, if it is the one that the manifest named, or anywhere."""
    timeout_s, retries = float(config.predictor_request_timeout_seconds), int(config.predictor_request_retries)
    inside = context.get_inside()
    if inside is not None and inside.host == host:
        return Place(host=host, socket=inside.socket, timeout_s=timeout_s, retries=retries, headers=inside.headers)
    return Place(host=host, is_tls=config.predictor_use_ssl, timeout_s=timeout_s, retries=retries)


async def ask(place: Place, path: str, body: Any, headers: dict[str, str] | None) -> Any:
    """The JSON it answers. Raises with its status and its words when it refuses or cannot be reached."""
    return await _callers.of(place).post_json(path, body, headers or {})
