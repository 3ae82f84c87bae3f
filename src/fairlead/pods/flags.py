"""Command lines of the programs that our commands take the place of.

Those are read by Go's and Python's own parsers: one dash or two, `--name=value` or `--name value`, switches with or
without a value. A manifest may have been written for any of them, so all forms are taken for all.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence

from fairlead.errors import ConfigError

_WRITTEN = frozenset(("true", "false"))
_YES = frozenset(("", "1", "t", "true", "y", "yes", "on"))
_NO = frozenset(("0", "f", "false", "n", "no", "off"))


class Flags:
    """What a command line says. `known` maps flags to what they are when nothing is said; those of `switches` need no
    value, and take `true` or `false` behind them. A flag may be written with `-` for `_`. `rest` are words that belong
    to no flag, `unknown` flags that are not known."""

    def __init__(self, words: Sequence[str], known: Mapping[str, str], *, switches: Collection[str] = ()) -> None:
        self._known = known
        self._said: dict[str, list[str]] = {}
        self.rest: list[str] = []
        self.unknown: list[str] = []
        waiting = deque(words)
        while waiting:
            word = waiting.popleft()
            if not word.startswith("-") or word == "-":
                self.rest.append(word)
                continue
            written, equals, value = word.lstrip("-").partition("=")
            name = written if written in known else written.replace("-", "_")
            if name not in known:
                self.unknown.append(word)
                continue
            if not equals and (name not in switches or (waiting and waiting[0].lower() in _WRITTEN)):
                value = waiting.popleft() if waiting else ""
            elif not equals:
                value = "true"
            self._said.setdefault(name, []).append(value)

    def is_said(self, name: str) -> bool:
        """Whether the flag is there."""
        return name in self._said

    def text(self, name: str) -> str:
        """The last one said, or the default."""
        return self._said.get(name, [self._known[name]])[-1]

    def texts(self, name: str) -> list[str]:
        """All that were said."""
        return self._said.get(name, [])

    def whole(self, name: str) -> int:
        """A number that is not negative. Raises `ConfigError`."""
        text = self.text(name)
        if not text.isdecimal():
            raise ConfigError(f"--{name} {text!r}: must be a whole number, 0 or more")
        return int(text)

    def port(self, name: str) -> int:
        """A TCP port. Raises `ConfigError`."""
        number = self.whole(name)
        if number > 65535:
            raise ConfigError(f"--{name} {number}: must be a port number, 0 to 65535")
        return number

    def is_on(self, name: str) -> bool:
        """A switch. Raises `ConfigError`."""
        text = self.text(name).strip().lower()
        if text in _YES or text in _NO:
            return text in _YES
        raise ConfigError(f"--{name} {text!r}: must be true or false")
