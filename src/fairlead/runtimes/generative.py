"""The seam for models that answer OpenAI's requests: they generate, embed or rank.

A `Servable` that can has an attribute `openai` of this shape. Its answers may take long and come in parts, so nothing
here blocks: whoever asks hands over a listener and gets a handle, and may leave at any time.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from fairlead.protocols.exchange import Headers
from fairlead.protocols.openai import Endpoint


class Listener(Protocol):
    """Hears an answer, from any thread: `answered` once, or `said` for each part and then `ended`, or `failed` instead
    of whatever is still to come. Nothing is called after the last of them."""

    def answered(self, body: bytes) -> None:
        """The whole answer, in JSON."""

    def said(self, events: bytes) -> None:
        """Some complete server-sent events, without the one that closes a stream."""

    def ended(self) -> None:
        """That was the last part."""

    def failed(self, error: Exception) -> None:
        """It cannot be answered, or not to its end."""


class Answering(Protocol):
    """One request that is being answered. Everything may be called at any time, and more than once."""

    def leave(self) -> None:
        """Nobody wants the rest. The listener may still hear what was under way."""

    def hold(self) -> None:
        """The listener has enough for now."""

    def go_on(self) -> None:
        """It has room again."""


class Generative(Protocol):
    """A model's side. `endpoints` are the ones it has; `start` is asked for no other. What is wrong with a request is
    raised (`Unusable`), or told to the listener; `Overloaded` is raised when too many wait."""

    endpoints: frozenset[Endpoint]

    def start(
        self, endpoint: Endpoint, model: str, body: Mapping[str, Any], headers: Headers, listener: Listener
    ) -> Answering: ...
