"""Which headers of a request go on to the services of a graph: those whose name is like one of a list of regular
expressions, as the variable `PROPAGATE_HEADERS` of KServe's router says. By default none does.

An expression may match any part of a name, which it sees as Go writes it (`X-Request-Id`).
"""

import logging
import re
from collections.abc import Iterable

from fairlead.protocols.exchange import Headers

VARIABLE = "PROPAGATE_HEADERS"
_MOST_NAMES = 1024
_log = logging.getLogger(__name__)


class Propagation:
    """The headers to pass on."""

    def __init__(self, patterns: Iterable[str], always: frozenset[bytes] = frozenset()) -> None:
        self._patterns = [pattern for text in patterns if (pattern := _compiled(text)) is not None]
        self._always = always
        self._known: dict[bytes, bool] = {}

    def of(self, headers: Headers) -> Headers:
        """Those of a request that go on."""
        if not self._patterns and not self._always:
            return []
        return [pair for pair in headers if self._goes_on(pair[0])]

    def _goes_on(self, name: bytes) -> bool:
        known = self._known.get(name)
        if known is None:
            known = name in self._always or any(pattern.search(canonical(name)) for pattern in self._patterns)
            if len(self._known) < _MOST_NAMES:  # clients choose names
                self._known[name] = known
        return known


def listed(text: str) -> list[str]:
    """The expressions in a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def canonical(name: bytes) -> str:
    """A header's name with a capital at the start of each word."""
    return "-".join(word[:1].upper() + word[1:] for word in name.decode("latin-1").split("-"))


def _compiled(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except re.error as error:
        _log.warning("%s: %r is no regular expression and passes on nothing: %s", VARIABLE, text, error)
        return None
