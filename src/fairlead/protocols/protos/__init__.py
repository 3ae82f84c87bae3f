"""The protobuf messages of every gRPC protocol we speak, loaded when the first call needs them.

They live in a descriptor pool of our own. A user's code in the same process may import tensorflow, kserve, mlserver or
seldon_core, all of which register the same names in protobuf's default pool; whoever came second there would fail. The
`.proto` files in this folder are the source; `descriptors.binpb` is made of them by `make protos`, and
tests/protocols/protos/test_protos.py says when it is out of date. Importing this module does not import protobuf.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from fairlead.errors import BadRequest

FOLDER = Path(__file__).parent
DESCRIPTORS = FOLDER / "descriptors.binpb"


@cache
def files() -> tuple[Any, ...]:
    """Our files and what they import, as `FileDescriptorProto`s, each after those it needs."""
    from google.protobuf import descriptor_pb2

    return tuple(descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file)


@cache
def pool() -> Any:
    """The descriptor pool that holds them."""
    from google.protobuf import descriptor_pool

    own = descriptor_pool.DescriptorPool()
    for file in files():
        own.AddSerializedFile(file.SerializeToString())
    return own


@cache
def message(name: str) -> Any:
    """The class of a message by its full name, such as `inference.ModelInferRequest`."""
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(pool().FindMessageTypeByName(name))


@cache
def parser(name: str) -> Callable[[bytes], Any]:
    """Reads a message of that name; raises `BadRequest` for bytes that are none."""
    from google.protobuf.message import DecodeError

    from_string = message(name).FromString

    def parse(data: bytes) -> Any:
        try:
            return from_string(data)
        except DecodeError as error:
            raise BadRequest(f"the message cannot be read as {name}: {error}") from error

    return parse


def parse(name: str, data: bytes) -> Any:
    """One message of that name; raises `BadRequest` for bytes that are none."""
    return parser(name)(data)
