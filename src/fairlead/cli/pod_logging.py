"""Logs of the commands that are a container's process: lines on stderr, which Kubernetes keeps, and the last error as
the container's termination message, so that nobody has to look for the log of a container that is gone."""

import logging
import os
import sys
from collections.abc import Callable

from fairlead.cli.exits import CommandFailed, Exit
from fairlead.errors import FairleadError

_LEVELS = {"FATAL": "CRITICAL", "WARN": "WARNING", "PANIC": "CRITICAL", "TRACE": "DEBUG"}
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class LastError(logging.Handler):
    """Keeps the last line of the last error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Remember it."""
        self.text = record.getMessage().rstrip().rpartition("\n")[2]


def in_pod(run: Callable[[], int], *, level: str) -> int:
    """Run a container's work with its log; the exit code. What ends it is its termination message."""
    last = LastError()
    _configure(level, last)
    try:
        code = run()
    except FairleadError as error:
        raise CommandFailed(_tell_why(str(error))) from error
    if code != Exit.OK and last.text:
        _tell_why(last.text)
    return code


def _tell_why(message: str) -> str:
    # What hides secrets comes with the stores: 0.1 s that only a container that fails pays.
    from fairlead.pods.telling_why import tell_why

    return tell_why(message, os.environ)


def _configure(level: str, last: LastError) -> None:
    """What is no level means INFO, for a log must not end a pod."""
    asked = _LEVELS.get(level.upper(), level.upper())
    known = asked if asked in logging.getLevelNamesMapping() else "INFO"
    lines = logging.StreamHandler(sys.stderr)
    logging.basicConfig(handlers=[lines, last], level=known, format=_FORMAT)
