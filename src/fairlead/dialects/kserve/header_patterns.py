"""Which headers of a request travel on to the services that it leads to: an annotation of ours, since KServe has a
setting for it only for all graphs together."""

import re
from collections.abc import Mapping

from fairlead.dialects.findings import Findings

HEADERS = "fairlead.dev/propagate-headers"


def header_patterns(annotations: Mapping[str, str], findings: Findings) -> tuple[str, ...]:
    """Regular expressions of names, separated by commas; case does not matter. One that cannot be read is a warning and
    has no effect."""
    found = []
    for text in annotations.get(HEADERS, "").split(","):
        try:
            re.compile(text.strip())
        except re.error as error:
            findings.warn(f"annotation {HEADERS}: {text.strip()!r} is ignored: {error}")
            continue
        if text.strip():
            found.append(f"(?i:{text.strip()})")
    return tuple(found)
