"""Which model a gRPC message asks for, read off its bytes: for a gateway that knows no schema and needs no more.

The methods are those of the Open Inference Protocol and of TensorFlow Serving; Seldon's messages name no model.
"""

from fairlead.errors import BadRequest, TooLarge
from fairlead.protocols.grpc import PREFIX_BYTES, message_start
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
_START_BYTES = 64 * 1024
_MOST_FIELDS = 1024
"""How far a name is looked for. It stands first in what every client writes; a message that has it elsewhere could keep
the gateway busy for as long as it likes, 64 KB of gzip for ten seconds."""


def names_model(path: str) -> bool:
    """Whether the messages of this method name a model."""
    return path in _PATHS


def model_name(path: str, body: bytes, *, encoding: bytes = b"") -> str | None:
    """The name in the first message of a call, `None` when it has none. Raises `BadRequest` when what is here of the
    body ends before that can be said, or is no message at all, and `TooLarge` when no name is where it could be."""
    choices = _PATHS.get(path)
    if choices is None:
        return None
    if len(body) < PREFIX_BYTES:
        raise BadRequest("the call's message is cut short")
    size = int.from_bytes(body[1:PREFIX_BYTES], "big")
    if body[0]:
        start = message_start(body[: PREFIX_BYTES + size], encoding=encoding, most_bytes=_START_BYTES)
        return _name_in(start, choices, is_all=len(start) < _START_BYTES, is_more=False)
    start = body[PREFIX_BYTES : PREFIX_BYTES + min(size, _START_BYTES)]
    return _name_in(start, choices, is_all=len(start) == size, is_more=len(start) < min(size, _START_BYTES))


def _name_in(start: bytes, choices: tuple[tuple[int, ...], ...], *, is_all: bool, is_more: bool) -> str | None:
    """The name in the start of a message, which `is_all` of it, or of which there `is_more` to come."""
    try:
        # While some of it is to come, a better choice may be.
        name = _first(start, choices if is_all or not is_more else choices[:1])
    except BadRequest:
        if is_all or is_more:
            raise
        name = None
    if name is None and is_more:
        raise BadRequest("the call's message is cut short")
    if name is None and not is_all:
        raise TooLarge(f"the first {_START_BYTES} bytes of the message do not name a model")
    return name


def _first(message: bytes, choices: tuple[tuple[int, ...], ...]) -> str | None:
    return next((name for fields in choices if (name := _text(message, fields)) is not None), None)


def _text(message: bytes, fields: tuple[int, ...]) -> str | None:
    for wanted in fields:
        found = _field(message, wanted)
        if found is None:
            return None
        message = found
    return message.decode("utf-8", "replace") or None


def _field(message: bytes, wanted: int) -> bytes | None:
    for index, (number, _, value, end) in enumerate(top_level(message)):
        if number == wanted:
            return message[value:end]
        if index == _MOST_FIELDS:
            raise TooLarge(f"the first {_MOST_FIELDS} fields of the message do not name a model")
    return None
