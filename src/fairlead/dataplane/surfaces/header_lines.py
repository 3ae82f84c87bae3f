"""Header lines made of words that are not ours: what units want answers to carry, names of the plan, ids of clients.
Whatever is in them, each stays one line of printable ASCII."""

from collections.abc import Mapping


def one_line(text: str) -> bytes:
    """Text as the value, or the name, of a header."""
    return "".join(char if " " <= char <= "~" else "?" for char in text).encode()


def header_line(name: str, value: str) -> bytes:
    """One complete line."""
    return one_line(name) + b": " + one_line(value) + b"\r\n"


def header_lines(headers: Mapping[str, str]) -> bytes:
    """The lines of all of them."""
    return b"".join([header_line(name, value) for name, value in headers.items()])


def besides_type(headers: Mapping[str, str]) -> bytes:
    """The lines of all but the media type, for a body whose own is known."""
    return header_lines({name: value for name, value in headers.items() if name.lower() != "content-type"})
