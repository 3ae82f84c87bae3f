"""`grpc.reflection`, versions v1 and v1alpha: which services there are and what their messages are made of.

The descriptors are those of `protocols/protos`. The two versions differ in the name of their package alone.
"""

from collections.abc import Callable
from typing import Any

from fairlead.dataplane.surfaces.grpc.calling import Calls
from fairlead.dataplane.surfaces.grpc.outcomes import plain
from fairlead.dataplane.surfaces.grpc.streaming import Stream, streamed
from fairlead.errors import FairleadError, GrpcCode
from fairlead.protocols import protos
from fairlead.protocols.exchange import Handler
from fairlead.protocols.protobuf_fields import nested, text, whole
from fairlead.protocols.streaming import REFLECT

VERSIONS = ("v1", "v1alpha")
SERVICES = tuple(f"grpc.reflection.{version}.ServerReflection" for version in VERSIONS)


def handlers(calls: Calls, services: list[str]) -> dict[str, Handler]:
    """Paths to handlers. `services` are the names to list."""

    def begin(version: str) -> Callable[[Stream, Any], "_Talk"]:
        return lambda stream, _request: _Talk(stream, version, services)

    return {path: streamed(calls, begin(version)) for path, version in zip(REFLECT, VERSIONS, strict=True)}


class _Talk:
    """One client's questions, answered in their order."""

    def __init__(self, stream: Stream, version: str, services: list[str]) -> None:
        self._stream = stream
        self._request = f"grpc.reflection.{version}.ServerReflectionRequest"
        self._services = services

    def take(self, message: bytes) -> None:
        try:
            asked = protos.parse(self._request, message)
        except FairleadError as error:
            self._stream.finish(*plain(error)[:2])
            return
        self._stream.send(text(b"\x0a", asked.host) + nested(b"\x12", message) + self._answer(asked))

    def end(self) -> None:
        self._stream.finish()

    def gone(self) -> None:
        """Nothing is held."""

    def drain(self) -> None:
        """Every question is answered as it comes."""
        self._stream.leave()

    def _answer(self, asked: Any) -> bytes:
        kind = asked.WhichOneof("message_request")
        if kind == "list_services":
            return nested(b"\x32", b"".join([nested(b"\x0a", text(b"\x0a", name)) for name in self._services]))
        if kind == "file_by_filename":
            return _file(protos.pool().FindFileByName, asked.file_by_filename, "file")
        if kind == "file_containing_symbol":
            return _file(_containing, asked.file_containing_symbol, "symbol")
        if kind == "file_containing_extension":
            return _error(GrpcCode.NOT_FOUND, "there are no extensions here")
        if kind == "all_extension_numbers_of_type":
            return _numbers(asked.all_extension_numbers_of_type)
        return _error(GrpcCode.INVALID_ARGUMENT, "the request asks nothing; expected one of its members to be set")


def _file(find: Callable[[str], Any], name: str, what: str) -> bytes:
    try:
        first = find(name).name
    except KeyError:
        return _error(GrpcCode.NOT_FOUND, f"there is no {what} {name!r}")
    return nested(b"\x22", b"".join([nested(b"\x0a", file) for file in _with_imports(first)]))


def _containing(symbol: str) -> Any:
    """The file of a symbol. A pool knows no methods and fields by themselves, so those are looked for in what they
    belong to. Raises `KeyError`."""
    try:
        return protos.pool().FindFileContainingSymbol(symbol)
    except KeyError:
        owner, _, name = symbol.rpartition(".")
        file = protos.pool().FindFileContainingSymbol(owner)
    simple = owner.removeprefix(f"{file.package}.")
    kind = file.services_by_name.get(simple) or file.message_types_by_name.get(simple)
    members: Any = getattr(kind, "methods_by_name", None) or getattr(kind, "fields_by_name", None) or ()
    if name not in members:
        raise KeyError(symbol)
    return file


def _with_imports(name: str) -> list[bytes]:
    """The file and everything it imports, once each: clients that need all of them ask no further."""
    known = {file.name: file for file in protos.files()}
    wanted, found = [name], dict[str, bytes]()
    while wanted:
        file = known[wanted.pop(0)]
        if file.name not in found:
            found[file.name] = file.SerializeToString()
            wanted += file.dependency
    return list(found.values())


def _numbers(name: str) -> bytes:
    try:
        protos.pool().FindMessageTypeByName(name)
    except KeyError:
        return _error(GrpcCode.NOT_FOUND, f"there is no message {name!r}")
    return nested(b"\x2a", text(b"\x0a", name))


def _error(code: GrpcCode, words: str) -> bytes:
    return nested(b"\x3a", whole(b"\x08", code) + text(b"\x12", words))
