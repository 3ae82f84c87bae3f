"""HPACK's Huffman code, reading only (RFC 7541 section 5.2 and appendix B): we write header strings as they are,
because shorter strings would cost more time than their bytes.
"""

from functools import cache
from typing import NamedTuple

from fairlead.errors import BadRequest

# The code is canonical: within a length, codes count up in the order of the symbols, so lengths are all there is.
_SYMBOLS = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\x00$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
    20: b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2",
    21: b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6",
    22: b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9",
    23: b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef",  # noqa: E501
    24: b"\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed",
    25: b"\xc7\xcf\xea\xeb",
    26: b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff",
    27: b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe",
    28: b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9",  # noqa: E501
    30: b"\n\r\x16",
}
_EOS = 256


class HuffmanError(BadRequest):
    """A string that is not in the code."""


class _Machine(NamedTuple):
    """`steps[state * 16 + four bits]` is the next state and what was read on the way, or nothing if that cannot be;
    `may_end` says in which states a string may end."""

    steps: list[tuple[int, bytes] | None]
    may_end: list[bool]


def decode(data: bytes) -> bytes:
    """The string that these bytes are the code of."""
    steps, may_end = _machine()
    state = 0
    out: list[bytes] = []
    for byte in data:
        for bits in (byte >> 4, byte & 15):
            step = steps[state << 4 | bits]
            if step is None:
                raise HuffmanError("a Huffman-coded header string holds the end mark")
            state, read = step
            if read:
                out.append(read)
    if not may_end[state]:
        raise HuffmanError("a Huffman-coded header string ends within a symbol")
    return b"".join(out)


@cache
def _machine() -> _Machine:
    """Made when the first such string comes: 3 ms that most workers never need."""
    nodes, leaves = _tree()
    steps = [_walk(nodes, leaves, state, bits) for state in range(len(nodes)) for bits in range(16)]
    may_end = [False] * len(nodes)
    state = 0
    for _ in range(8):  # Padding is up to seven bits of the end mark, which is all ones.
        may_end[state] = True
        state = nodes[state][1]
    return _Machine(steps, may_end)


def _tree() -> tuple[list[list[int]], dict[int, int]]:
    """Inner nodes as pairs of what follows 0 and 1, and the symbols of leaves, which are numbered below zero."""
    nodes: list[list[int]] = [[0, 0]]
    leaves: dict[int, int] = {}
    code = length = 0
    for size, symbols in _SYMBOLS.items():
        for symbol in (*symbols, *((_EOS,) if size == 30 else ())):
            code <<= size - length
            length = size
            leaf = -symbol - 1
            leaves[leaf] = symbol
            _plant(nodes, code, size, leaf)
            code += 1
    return nodes, leaves


def _plant(nodes: list[list[int]], code: int, size: int, leaf: int) -> None:
    node = 0
    for bit in range(size - 1, 0, -1):
        side = code >> bit & 1
        if not nodes[node][side]:
            nodes.append([0, 0])
            nodes[node][side] = len(nodes) - 1
        node = nodes[node][side]
    nodes[node][code & 1] = leaf


def _walk(nodes: list[list[int]], leaves: dict[int, int], state: int, bits: int) -> tuple[int, bytes] | None:
    read = bytearray()
    for bit in (8, 4, 2, 1):
        state = nodes[state][1 if bits & bit else 0]
        if state < 0:
            symbol = leaves[state]
            if symbol == _EOS:
                return None
            read.append(symbol)
            state = 0
    return state, bytes(read)
