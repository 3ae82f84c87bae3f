"""Why a container of a pod ended, where Kubernetes looks for it: the termination message, which `kubectl describe pod`
and our own status show. Nothing of a credential is in it."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from fairlead.storage.redaction import cleaned, secrets_of

VARIABLE = "FAIRLEAD_TERMINATION_LOG"
_DEFAULT = "/dev/termination-log"


def tell_why(message: str, environ: Mapping[str, str]) -> str:
    """Write the message down for Kubernetes, if this is a container of it; gives it as it may be shown."""
    text = cleaned(message, secrets_of(environ))
    path = Path(environ.get(VARIABLE) or _DEFAULT)
    if path.exists() or environ.get(VARIABLE):
        # Without the file the log's last lines say the same.
        with contextlib.suppress(OSError):
            path.write_text(text)
    return text
