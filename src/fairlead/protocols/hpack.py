"""HTTP/2's header compression (RFC 7541), shaped for connections that carry the same call again and again.

A header block repeats verbatim on a connection until the dynamic table changes, so a decoded block is kept by its
bytes: finding one again costs 0.1 us, reading the ten headers of a gRPC call 9 us. A block that itself changes the
table is never kept. The encoder keeps no state at all (static table and literals), so what it wrote once can be
written again on any connection.
"""

from collections import deque
from collections.abc import Iterable

from fairlead.errors import BadRequest
from fairlead.protocols import huffman
from fairlead.protocols.exchange import Headers

_Pair = tuple[bytes, bytes]
_KEPT_BYTES = 64 * 1024
"""Of headers, as limits count them, in the blocks that one connection keeps. Not of the blocks: one byte of a block can
stand for 4 KiB, and what readers note on a block is as large as its headers."""
_KEPT_BLOCK_BYTES = 4096
_ENTRY_BYTES = 32  # What every entry costs beyond its strings (section 4.1).
_MAX_INTEGER_BYTES = 5

_STATIC: tuple[_Pair, ...] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
)
_STATIC_COUNT = len(_STATIC)
_INDEX_OF_PAIR = {pair: index for index, pair in reversed(list(enumerate(_STATIC, start=1)))}
_INDEX_OF_NAME = {name: index for index, (name, _) in reversed(list(enumerate(_STATIC, start=1)))}
# Nobody on the way may put these into a table, where guesses could be tried against them (section 7.1.3).
_SECRET = frozenset({b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"})


class HpackError(BadRequest):
    """A block that is no HPACK; what follows on its connection cannot be read either."""


class HeaderBlock:
    """The headers of one block. `is_too_large` says that they passed the limit and are left out. `note` belongs to
    whoever reads them: blocks are kept, and what was worked out from the headers alone can stay here."""

    __slots__ = ("headers", "is_too_large", "note")

    def __init__(self, headers: Headers, *, is_too_large: bool = False) -> None:
        self.headers = headers
        self.is_too_large = is_too_large
        self.note: object = None


class Decoder:
    """Reads the blocks of one connection, in their order."""

    __slots__ = ("_dynamic", "_known", "_known_bytes", "_list_bytes", "_most_bytes", "_size", "_table_bytes")

    def __init__(self, *, table_bytes: int = 4096, list_bytes: int = 64 * 1024) -> None:
        self._most_bytes = table_bytes
        self._table_bytes = table_bytes
        self._list_bytes = list_bytes
        self._dynamic: deque[_Pair] = deque()
        self._size = 0
        self._known: dict[bytes, HeaderBlock] = {}
        self._known_bytes = 0

    def decode(self, block: bytes) -> HeaderBlock:
        """The same object again for a block that was seen since the table last changed."""
        known = self._known.get(block)
        if known is not None:
            return known
        headers, size, has_changed = self._read(block)
        is_too_large = size > self._list_bytes
        result = HeaderBlock([] if is_too_large else headers, is_too_large=is_too_large)
        if has_changed:
            self._forget()
        elif len(block) + size <= _KEPT_BLOCK_BYTES:
            if self._known_bytes + len(block) + size > _KEPT_BYTES:
                self._forget()
            self._known[block] = result
            self._known_bytes += len(block) + size
        return result

    def _forget(self) -> None:
        self._known.clear()
        self._known_bytes = 0

    def _read(self, block: bytes) -> tuple[Headers, int, bool]:
        """The headers, their size as limits count it, and whether the table changed. Past the limit the table is
        still kept right, for the blocks that follow."""
        headers: Headers = []
        size = position = 0
        has_changed = False
        end = len(block)
        while position < end:
            first = block[position]
            if first & 0x80:
                index, position = _integer(block, position, 0x7F)
                pair = self._entry(index)
            elif first & 0xE0 == 0x20:
                if headers or size:
                    raise HpackError("a table size change within a header block")
                position = self._resize(block, position)
                has_changed = True
                continue
            else:
                is_kept = bool(first & 0x40)
                pair, position = self._literal(block, position, 0x3F if is_kept else 0x0F)
                if is_kept:
                    self._insert(pair)
                    has_changed = True
            size += len(pair[0]) + len(pair[1]) + _ENTRY_BYTES
            if size <= self._list_bytes:
                headers.append(pair)
        return headers, size, has_changed

    def _literal(self, block: bytes, position: int, mask: int) -> tuple[_Pair, int]:
        index, position = _integer(block, position, mask)
        if index:
            name = self._entry(index)[0]
        else:
            name, position = _string(block, position)
        value, position = _string(block, position)
        return (name, value), position

    def _entry(self, index: int) -> _Pair:
        if 0 < index <= _STATIC_COUNT:
            return _STATIC[index - 1]
        try:
            if index:
                return self._dynamic[index - _STATIC_COUNT - 1]
        except IndexError:
            pass
        raise HpackError(f"a header block names entry {index} of a table of {_STATIC_COUNT + len(self._dynamic)}")

    def _insert(self, pair: _Pair) -> None:
        size = len(pair[0]) + len(pair[1]) + _ENTRY_BYTES
        self._shrink(self._table_bytes - size)
        if size <= self._table_bytes:
            self._dynamic.appendleft(pair)
            self._size += size

    def _resize(self, block: bytes, position: int) -> int:
        size, position = _integer(block, position, 0x1F)
        if size > self._most_bytes:
            raise HpackError(f"a header table of {size} bytes; up to {self._most_bytes} are allowed")
        self._table_bytes = size
        self._shrink(size)
        return position

    def _shrink(self, size: int) -> None:
        """Drop the oldest entries until the table is no larger."""
        dynamic = self._dynamic
        while self._size > size and dynamic:
            name, value = dynamic.pop()
            self._size -= len(name) + len(value) + _ENTRY_BYTES


def encode(headers: Iterable[_Pair]) -> bytes:
    """A block of these headers; names are lower case already."""
    return b"".join(_encode_pair(name, value) for name, value in headers)


def _encode_pair(name: bytes, value: bytes) -> bytes:
    index = _INDEX_OF_PAIR.get((name, value))
    if index is not None:
        return bytes((0x80 | index,))
    first = 0x10 if name in _SECRET else 0
    index = _INDEX_OF_NAME.get(name)
    if index is not None:
        return _write_integer(index, 0x0F, first) + _write_string(value)
    return bytes((first,)) + _write_string(name) + _write_string(value)


def _write_string(value: bytes) -> bytes:
    return _write_integer(len(value), 0x7F, 0) + value


def _write_integer(value: int, mask: int, first: int) -> bytes:
    """Section 5.1; `mask` is what the first byte has room for, `first` are its other bits."""
    if value < mask:
        return bytes((first | value,))
    out = bytearray((first | mask,))
    value -= mask
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _integer(block: bytes, position: int, mask: int) -> tuple[int, int]:
    value = block[position] & mask
    position += 1
    if value < mask:
        return value, position
    for shift in range(0, 7 * _MAX_INTEGER_BYTES, 7):
        if position >= len(block):
            raise HpackError("a header block ends within a number")
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise HpackError("a number in a header block is too long")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    if position >= len(block):
        raise HpackError("a header block ends before a string")
    is_coded = block[position] & 0x80
    length, position = _integer(block, position, 0x7F)
    end = position + length
    if end > len(block):
        raise HpackError("a header block ends within a string")
    value = block[position:end]
    return (huffman.decode(value) if is_coded else value), end
