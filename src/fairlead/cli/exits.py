"""Exit codes of `fairlead`, which scripts may rely on, and the errors only a command line can make."""

from enum import IntEnum

from fairlead.errors import Permanent


class Exit(IntEnum):
    """What the shell sees. A command that was run for its own exit code passes that on instead."""

    OK = 0
    FAILED = 1
    """Something was refused, is missing or went wrong; the message says what."""
    USAGE = 2
    """The command line itself cannot be understood."""
    TIMED_OUT = 3
    """What was waited for did not come in time."""
    INTERRUPTED = 130
    """Ctrl-C, as shells number it."""


class UsageError(Permanent):
    """Arguments that cannot be used together, or that do not read as what they should be."""

    http, reason = 400, "Usage"


class TimedOut(Permanent):
    """What was waited for did not come within the time given."""

    http, reason = 504, "TimedOut"


class CommandFailed(Permanent):
    """A command has told what went wrong and wants to end with a certain code."""

    def __init__(self, message: str = "", *, code: int = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code
