"""`seldon_core.proto.prediction_pb2`: the message classes, made when the first one is asked for."""

from typing import Any

from fairlead.protocols import protos


def __getattr__(name: str) -> Any:
    try:
        return protos.message(f"seldon.protos.{name}")
    except KeyError:
        raise AttributeError(f"seldon_core.proto.prediction_pb2 has no message {name!r}") from None
