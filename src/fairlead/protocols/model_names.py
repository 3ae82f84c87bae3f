"""Which model a gRPC message asks for, read off its bytes: for a gateway that knows no schema and needs no more.

The methods are those of the Open Inference Protocol and of TensorFlow Serving; Seldon's messages name no model.
"""

from fairlead.errors import BadRequest
from fairlead.protocols.grpc import PREFIX_BYTES, read_message
from fairlead.protocols.protobuf_fields import top_level

_V2 = "/inference.GRPCInferenceService/"
_TF_PREDICTION = "/tensorflow.serving.PredictionService/"
_SPEC_NAME = ((1, 1),)  # A ModelSpec is field 1, and its name is field 1 of that.
_IN_REPOSITORY = ((2,), (1,))
"""Triton's and MLServer's messages begin with the name of a repository, KServe's with the model's own."""
_PATHS: dict[str, tuple[tuple[int, ...], ...]] = {
    f"{_V2}ModelInfer": ((1,),),
    f"{_V2}ModelStreamInfer": ((1,),),
    f"{_V2}ModelReady": ((1,),),
    f"{_V2}ModelMetadata": ((1,),),
    f"{_V2}ModelConfig": ((1,),),
    f"{_V2}ModelStatistics": ((1,),),
    f"{_V2}RepositoryModelLoad": _IN_REPOSITORY,
    f"{_V2}RepositoryModelUnload": _IN_REPOSITORY,
    f"{_TF_PREDICTION}Predict": _SPEC_NAME,
    f"{_TF_PREDICTION}Classify": _SPEC_NAME,
    f"{_TF_PREDICTION}Regress": _SPEC_NAME,
    f"{_TF_PREDICTION}GetModelMetadata": _SPEC_NAME,
    f"{_TF_PREDICTION}MultiInference": ((1, 1, 1),),
    "/tensorflow.serving.ModelService/GetModelStatus": _SPEC_NAME,
}
_INFLATED_BYTES = 100 * 1024 * 1024


def names_model(path: str) -> bool:
    """Whether the messages of this method name a model."""
    return path in _PATHS


def model_name(path: str, body: bytes, *, encoding: bytes = b"") -> str | None:
    """The name in the first message of a call, `None` when it has none. Raises `BadRequest` when what is here of the
    body ends before that can be said, or is no message at all."""
    choices = _PATHS.get(path)
    if choices is None:
        return None
    if len(body) < PREFIX_BYTES:
        raise BadRequest("the call's message is cut short")
    end = PREFIX_BYTES + int.from_bytes(body[1:PREFIX_BYTES], "big")
    if body[0]:
        message = read_message(body[:end], encoding=encoding, limit_bytes=_INFLATED_BYTES)
        return _first(message, choices)
    is_whole = len(body) >= end
    # While some of it is to come, a better choice may be.
    name = _first(body[PREFIX_BYTES:end], choices if is_whole else choices[:1])
    if name is None and not is_whole:
        raise BadRequest("the call's message is cut short")
    return name


def _first(message: bytes, choices: tuple[tuple[int, ...], ...]) -> str | None:
    return next((name for fields in choices if (name := _text(message, fields)) is not None), None)


def _text(message: bytes, fields: tuple[int, ...]) -> str | None:
    for wanted in fields:
        values = (message[value:end] for number, _, value, end in top_level(message) if number == wanted)
        found = next(values, None)
        if found is None:
            return None
        message = found
    return message.decode("utf-8", "replace") or None
