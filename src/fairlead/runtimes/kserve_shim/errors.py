"""The exceptions by which a KServe model says what went wrong. What a client sees of each is decided by
`runtimes.kserve_failures`."""

from collections.abc import Sequence
from typing import Any


class InferenceError(RuntimeError):
    """The model could not answer: 500."""

    def __init__(self, reason: str, status: str | None = None, debug_details: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.debug_details = debug_details

    def __str__(self) -> str:
        text = f"[{self.status}] {self.reason}" if self.status is not None else self.reason
        return f"{text} {self.debug_details}" if self.debug_details is not None else text


class InvalidInput(ValueError):
    """The request cannot be used: 400."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ModelNotFound(Exception):
    """No model of that name: 404."""

    def __init__(self, model_name: str | None = None) -> None:
        self.reason = f"Model with name {model_name} does not exist."
        super().__init__(self.reason)


class ModelNotReady(RuntimeError):
    """The model cannot answer yet: 503."""

    def __init__(self, model_name: str, detail: str | None = None) -> None:
        self.model_name = model_name
        self.error_msg = f"Model with name {model_name} is not ready.{f' {detail}' if detail else ''}"
        super().__init__(self.error_msg)


class NoModelReady(RuntimeError):
    """None of the models can answer."""

    def __init__(self, models: Sequence[Any], detail: str | None = None) -> None:
        self.models = models
        names = ", ".join(model.name for model in models)
        self.error_msg = f"Models with name {names} are not ready.{f' {detail}' if detail else ''}"
        super().__init__(self.error_msg)


class ServerNotReady(RuntimeError):
    """Not yet: 503."""

    def __init__(self, detail: str | None = None) -> None:
        self.error_msg = f"Server is not ready.{f' {detail}' if detail else ''}"
        super().__init__(self.error_msg)


class ServerNotLive(RuntimeError):
    """Not any more: 503."""

    def __init__(self, detail: str | None = None) -> None:
        self.error_msg = f"Server is not live.{f' {detail}' if detail else ''}"
        super().__init__(self.error_msg)


class UnsupportedProtocol(Exception):
    """A protocol that the model does not speak: 400."""

    def __init__(self, protocol_version: str | None = None) -> None:
        self.reason = f"Unsupported protocol {protocol_version}."
        super().__init__(self.reason)


class ModelMissingError(Exception):
    """No model file where one should be."""

    def __init__(self, path: object) -> None:
        self.path = path
        super().__init__(str(path))


class WorkersShouldBeLessThanMaxWorkersError(Exception):
    """More workers than allowed."""

    def __init__(self, max_workers: int) -> None:
        super().__init__(f"Workers should be less than maximum workers: {max_workers}")
