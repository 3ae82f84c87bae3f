"""From tokens to text as it grows: no half letters, and nothing of a text at which the client wants to stop."""

from collections.abc import Callable, Sequence

_BROKEN = "\ufffd"
_CONTEXT = 5
"""How many tokens before a text decide how it begins: with a blank, say."""


class StopStrings:
    """Text up to the first of some strings. What may be the start of one is held back until that is known."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """What may be told now, and whether one of the strings has come: then that was all."""
        if not self._stops:
            return text, False
        self._held += text
        ends = [self._held.find(stop) + len(stop) for stop in self._stops if stop in self._held]
        if ends:
            # As if it came letter by letter: the first that was complete counts, and nothing behind it.
            seen = self._held[: min(ends)]
            return seen[: min(seen.find(stop) for stop in self._stops if stop in seen)], True
        keep = max(_started(self._held, stop) for stop in self._stops)
        told = self._held[: len(self._held) - keep]
        self._held = self._held[len(told) :]
        return told, False

    def rest(self) -> str:
        """What was held back, when nothing more comes."""
        held, self._held = self._held, ""
        return held


def _started(text: str, stop: str) -> int:
    """How much of the end of a text is the beginning of `stop`."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0


class TextStream:
    """The text of a growing row of tokens, in pieces that join to the whole. `decode` turns ids into text; `context`
    are the tokens before the first."""

    def __init__(self, decode: Callable[[list[int]], str], context: Sequence[int] = ()) -> None:
        self._decode = decode
        self._ids = list(context[-_CONTEXT:])
        self._from = 0
        self._told = len(self._ids)

    def feed(self, token: int) -> str:
        """What the token adds; nothing while a letter is not whole."""
        self._ids.append(token)
        before, after = self._texts()
        if len(after) <= len(before) or after.endswith(_BROKEN):
            return ""
        self._from, self._told = self._told, len(self._ids)
        if self._from > 256:  # what is behind us decides nothing any more
            del self._ids[: self._from]
            self._told -= self._from
            self._from = 0
        return after[len(before) :]

    def rest(self) -> str:
        """What is left when no token comes: letters that will never be whole."""
        before, after = self._texts()
        self._from = self._told = len(self._ids)
        return after[len(before) :]

    def _texts(self) -> tuple[str, str]:
        return self._decode(self._ids[self._from : self._told]), self._decode(self._ids[self._from :])
