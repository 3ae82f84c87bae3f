"""Server-sent events as OpenAI's clients read them: one JSON value in each, and `[DONE]` after the last.

JSON that orjson writes holds no line break, so a value is one `data` line and nothing in it can end an event early.
"""

DONE = b"data: [DONE]\n\n"
MEDIA_TYPE = b"text/event-stream"


def event(value: bytes) -> bytes:
    """One event of a JSON value that was written without line breaks."""
    return b"data: " + value + b"\n\n"


def as_events(said: str | bytes) -> bytes:
    """What user code gives as a piece of a stream: whole events as they are, anything else as the lines of one."""
    text = said.encode() if isinstance(said, str) else bytes(said)
    if text.startswith((b"data:", b"event:", b"id:", b"retry:", b":")):
        return text if text.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")) else text.rstrip(b"\r\n") + b"\n\n"
    return b"".join(b"data: " + line + b"\n" for line in text.splitlines() or [b""]) + b"\n"
