"""Logs of the commands that are a container's process: lines on stderr, which Kubernetes keeps."""

import logging
import sys

_LEVELS = {"FATAL": "CRITICAL", "WARN": "WARNING", "PANIC": "CRITICAL", "TRACE": "DEBUG"}
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_logging(level: str) -> None:
    """Write lines of this level and above; what is no level means INFO, for a log must not end a pod."""
    asked = _LEVELS.get(level.upper(), level.upper())
    known = asked if asked in logging.getLevelNamesMapping() else "INFO"
    logging.basicConfig(stream=sys.stderr, level=known, format=_FORMAT)
