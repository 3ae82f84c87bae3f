"""What a container of a pod can know about where it runs: its own name, the address to listen on, the share of the
processors that it may use, and the pod's annotations."""

import contextlib
import math
import re
from collections.abc import Mapping
from pathlib import Path

from fairlead.errors import ConfigError

HOST = "FAIRLEAD_POD_HOST"
"""The address to listen on. Our image sets it, because in a pod others have to reach us; elsewhere it is loopback."""
_LOOPBACK = "127.0.0.1"
_ANNOTATIONS = Path("/etc/podinfo/annotations")
_LINE = re.compile(r'([^=]+)="(.*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\\"'])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
_NUMERIC = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def host_of(environ: Mapping[str, str]) -> str:
    """The address to listen on when no flag says one."""
    return environ.get(HOST) or _LOOPBACK


def pod_name(environ: Mapping[str, str]) -> str:
    """This replica's name: a pod's host name is its own."""
    return environ.get("POD_NAME") or environ.get("HOSTNAME") or "pod"


def namespace_of(environ: Mapping[str, str]) -> str:
    """The pod's namespace as far as it is told."""
    return environ.get("POD_NAMESPACE") or "default"


def annotations_of(path: Path = _ANNOTATIONS) -> dict[str, str]:
    """The pod's annotations from the file that the downward API writes; none without it. A value may hold anything."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return {line[1]: _unquoted(line[2]) for line in found if line is not None}


def processors(limit: Path = _CPU_LIMIT) -> int:
    """How many calls may run at once: the container's limit on processors, one when it has none that we can see."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = limit.read_text().split()
        return max(1, math.ceil(int(quota) / int(period)))
    return 1


def thread_settings(count: int, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables for numeric libraries, which would take a thread for every processor of the node otherwise."""
    return {name: str(count) for name in _NUMERIC if not environ.get(name)}


def _unquoted(text: str) -> str:
    """A value as Go's `%q` writes it."""
    return _ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    plain, octet, short, long, octal = found.groups()
    if plain is not None:
        return _ESCAPED.get(plain, plain)
    return chr(int(octal, 8) if octal is not None else int(octet or short or long, 16))
