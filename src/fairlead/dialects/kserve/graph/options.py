"""Annotations of ours on a graph, for what KServe has no field for."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from fairlead.dialects import access
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.header_patterns import HEADERS, header_patterns

RETRIES = "fairlead.dev/step-retries"
FUSE = "fairlead.dev/fuse"
_KNOWN = (HEADERS, RETRIES, FUSE, *access.ANNOTATIONS)
_OURS = "fairlead.dev/"
_MOST_RETRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What they say. `headers` are regular expressions of names, whose case does not matter."""

    headers: tuple[str, ...] = ()
    retries: int = 0
    is_fused: bool = False


def read_options(annotations: Mapping[str, str], findings: Findings) -> Options:
    """What the annotations of a graph say; what cannot be read is a warning and has no effect."""
    _warn_of_unknown(annotations, findings)
    return Options(
        headers=header_patterns(annotations, findings),
        retries=_retries(annotations, findings),
        is_fused=_is_fused(annotations, findings),
    )


def _retries(annotations: Mapping[str, str], findings: Findings) -> int:
    text = annotations.get(RETRIES, "0").strip()
    if text.isascii() and text.isdigit() and int(text) <= _MOST_RETRIES:
        return int(text)
    findings.warn(f"annotation {RETRIES} is ignored: {text!r} is not a whole number from 0 to {_MOST_RETRIES}")
    return 0


def _is_fused(annotations: Mapping[str, str], findings: Findings) -> bool:
    text = annotations.get(FUSE, "false").strip().lower()
    if text not in ("true", "false"):
        findings.warn(f"annotation {FUSE} is ignored: {text!r} is neither true nor false")
    return text == "true"


def _warn_of_unknown(annotations: Mapping[str, str], findings: Findings) -> None:
    for name in sorted(annotations):
        if name.startswith(_OURS) and name not in _KNOWN:
            near = difflib.get_close_matches(name, _KNOWN, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_KNOWN)}"
            findings.warn(f"annotation {name} is not known; {hint}")
