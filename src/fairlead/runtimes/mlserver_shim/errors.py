"""The exceptions by which an MLServer model says what went wrong. Their status travels with them."""


class MLServerError(Exception):
    """The base, with the status that clients get."""

    def __init__(self, msg: str, status_code: int = 400) -> None:
        super().__init__(msg)
        self.status_code = status_code


class InferenceError(MLServerError):
    """The request cannot be used, or the model cannot answer it."""

    def __init__(self, msg: str) -> None:
        super().__init__(f"Inference error: {msg}", 400)


class InvalidModelURI(MLServerError):
    """No model file where one should be."""

    def __init__(self, name: str, model_uri: str | None = None) -> None:
        place = f" ({model_uri})" if model_uri else ""
        super().__init__(f"Invalid URI specified for model {name}{place}", 422)


class ModelNotFound(MLServerError):
    """No model of that name."""

    def __init__(self, name: str, version: str | None = None) -> None:
        of = f" with version {version}" if version else ""
        super().__init__(f"Model {name}{of} not found", 404)


class ModelNotReady(MLServerError):
    """The model cannot answer yet."""

    def __init__(self, name: str, version: str | None = None) -> None:
        of = f" with version {version}" if version else ""
        super().__init__(f"Model {name}{of} is not ready yet", 400)
