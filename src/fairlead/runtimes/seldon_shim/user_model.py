"""The base class and the return type of user classes."""
# ruff: noqa: ARG002 - the names of unused parameters are what callers and subclasses rely on

from collections.abc import Iterable
from typing import Any, NoReturn

from fairlead.runtimes.seldon_shim.flask_utils import SeldonMicroserviceException


class SeldonNotImplementedError(SeldonMicroserviceException):
    """Raised by a method that counts as absent."""

    def __init__(self, message: str = "not implemented") -> None:
        super().__init__(message)


class SeldonResponse:
    """A value with tags and metrics that belong to this one call."""

    def __init__(
        self, data: Any, tags: dict[str, Any] | None = None, metrics: list[dict[str, Any]] | None = None
    ) -> None:
        self.data = data
        self.tags = {} if tags is None else tags
        self.metrics = [] if metrics is None else metrics


class SeldonComponent:
    """What every user class may derive from: each method says that it is not there."""

    def __init__(self, **kwargs: Any) -> None:
        pass

    def load(self) -> None:
        _absent("load")

    def tags(self) -> dict[str, Any]:
        _absent("tags")

    def metrics(self) -> list[dict[str, Any]]:
        _absent("metrics")

    def class_names(self) -> Iterable[str]:
        _absent("class_names")

    def feature_names(self) -> Iterable[str]:
        _absent("feature_names")

    def init_metadata(self) -> dict[str, Any]:
        _absent("init_metadata")

    def health_status(self) -> Any:
        _absent("health_status")

    def health_status_raw(self) -> Any:
        _absent("health_status_raw")

    def predict(self, X: Any, names: Iterable[str], meta: dict[str, Any] | None = None) -> Any:
        _absent("predict")

    def predict_raw(self, msg: Any) -> Any:
        _absent("predict_raw")

    def transform_input(self, X: Any, names: Iterable[str], meta: dict[str, Any] | None = None) -> Any:
        _absent("transform_input")

    def transform_input_raw(self, msg: Any) -> Any:
        _absent("transform_input_raw")

    def transform_output(self, X: Any, names: Iterable[str], meta: dict[str, Any] | None = None) -> Any:
        _absent("transform_output")

    def transform_output_raw(self, msg: Any) -> Any:
        _absent("transform_output_raw")

    def route(self, features: Any, feature_names: Iterable[str], meta: dict[str, Any] | None = None) -> Any:
        _absent("route")

    def route_raw(self, msg: Any) -> Any:
        _absent("route_raw")

    def aggregate(self, features_list: list[Any], feature_names_list: list[Any]) -> Any:
        _absent("aggregate")

    def aggregate_raw(self, msgs: Any) -> Any:
        _absent("aggregate_raw")

    def send_feedback(
        self, features: Any, feature_names: Iterable[str], reward: float, truth: Any, routing: int | None
    ) -> Any:
        _absent("send_feedback")

    def send_feedback_raw(self, feedback: Any) -> Any:
        _absent("send_feedback_raw")

    def custom_service(self) -> None:
        _absent("custom_service")


def _absent(name: str) -> NoReturn:
    raise SeldonNotImplementedError(f"{name} is not implemented")
