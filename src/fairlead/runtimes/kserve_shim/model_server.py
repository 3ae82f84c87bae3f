"""`ModelServer` and its flags, for files that are a program of their own.

Here nothing listens: the worker does. Whoever runs such a file (`runtimes.kserve_script`) takes the models that `start`
is given.
"""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.runtimes.kserve_shim.model_repository import ModelRepository

parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)


def _flags() -> Iterable[tuple[str, dict[str, Any]]]:
    def boolean(word: str) -> bool:
        return word.strip().lower() in ("y", "yes", "t", "true", "on", "1")

    yield "--http_port", {"type": int, "default": 8080}
    yield "--grpc_port", {"type": int, "default": 8081}
    yield "--workers", {"type": int, "default": 1}
    yield "--max_threads", {"type": int, "default": 4}
    yield "--max_asyncio_workers", {"type": int, "default": None}
    yield "--enable_grpc", {"type": boolean, "default": True}
    yield "--enable_docs_url", {"type": boolean, "default": False}
    yield "--enable_latency_logging", {"type": boolean, "default": True}
    yield "--configure_logging", {"type": boolean, "default": True}
    yield "--log_config_file", {"type": str, "default": None}
    yield "--access_log_format", {"type": str, "default": None}
    yield "--model_name", {"type": str, "default": "model"}
    yield "--predictor_host", {"type": str, "default": None}
    yield "--protocol", {"type": str, "default": "v1", "choices": ("v1", "v2", "grpc-v2")}
    yield "--predictor_protocol", {"type": str, "default": "v1", "choices": ("v1", "v2", "grpc-v2")}
    yield "--predictor_use_ssl", {"type": boolean, "default": False}
    yield "--predictor_request_timeout_seconds", {"type": int, "default": 600}
    yield "--predictor_request_retries", {"type": int, "default": 0}
    yield "--enable_predictor_health_check", {"action": "store_true"}
    yield "--grpc_max_send_message_length", {"type": int, "default": 8388608}
    yield "--grpc_max_receive_message_length", {"type": int, "default": 8388608}


for _name, _options in _flags():
    parser.add_argument(_name, **_options)

FLAGS = frozenset(_name.lstrip("-") for _name, _ in _flags())
"""Their names."""


def __getattr__(name: str) -> Any:
    """`args`: the flags of this process, read when somebody asks."""
    if name == "args":
        return parser.parse_known_args()[0]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class ModelServer:
    """Takes models; the worker serves them. What tunes the SDK's own server is taken and means nothing."""

    def __init__(self, *_: Any, registered_models: ModelRepository | None = None, **__: Any) -> None:
        self.registered_models = registered_models if registered_models is not None else ModelRepository()

    def start(self, models: Any = ()) -> None:
        """Take the models in, beside those registered before."""
        given = models.values() if isinstance(models, Mapping) else models
        for model in given:
            self.register_model(model)

    def register_model(self, model: Any, name: str | None = None) -> None:
        """Take a model in under its name, or under another."""
        if not model.name:
            raise Exception("Failed to register model, model.name must be provided.")
        self.registered_models.update(model, name)

    def register_exception_handler(self, handler: Any) -> None:
        """Taken and ignored: what happens to this process is the worker's business."""
