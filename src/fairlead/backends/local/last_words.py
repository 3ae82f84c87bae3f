"""What a process said last, for whoever asks why it ended. Pure."""

from dataclasses import dataclass

_TRACEBACK = "Traceback (most recent call last):"
_COMMAND_FAILED = "Error: "
"""How click, which command lines in Python are often made with, begins what it refuses."""
_MOST_AFTER = 60
"""Lines that may follow the reason: other processes of the same program that are told to stop, and their tracebacks."""


@dataclass(slots=True)
class LastWords:
    """`last` is the last line that was not blank; of a traceback it is the one that says what went wrong."""

    last: str = ""
    _raised: str = ""
    _since: int = 0
    _is_in_traceback: bool = False

    @property
    def why(self) -> str:
        """The same for a program in Python whose other processes go on for a while after one of them failed: the last
        exception that it wrote, or the last error of its command line, if that was not long ago."""
        return self._raised if self._raised and self._since <= _MOST_AFTER else self.last

    def hear(self, line: str) -> None:
        """One more line."""
        self.last = line
        self._since += 1
        if line.endswith(_TRACEBACK):
            self._is_in_traceback = True
        elif line.startswith(_COMMAND_FAILED) or (self._is_in_traceback and not line.startswith(" ")):
            self._raised, self._since = line.removeprefix(_COMMAND_FAILED), 0
            self._is_in_traceback = False
