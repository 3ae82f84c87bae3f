"""What `fairlead build` leaves behind in a pod: its last words, which the operator reads, and an exit code that says
whether another try could end otherwise.

The words are one line of JSON; `dialects.bento.request.cluster.found` says which keys it has.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairlead.cli.exits import CommandFailed
from fairlead.dialects.bento.request.cluster.layout import NOT_AGAIN
from fairlead.errors import Permanent
from fairlead.images.making import Made
from fairlead.runtimes.bento.description import describe, is_bento


def write_report(path: Path, made: Made, folder: Path) -> None:
    """Say which image there is now, and what is in the bento that it was made of."""
    path.write_text(
        json.dumps({"image": made.image, "digest": made.digest, **(_found(folder) if is_bento(folder) else {})})
    )


@contextmanager
def failures_told(path: Path | None) -> Iterator[None]:
    """With a report, what cannot end otherwise ends with a code of its own, and its reason is in the report."""
    try:
        yield
    except Permanent as error:
        if path is None:
            raise
        path.write_text(str(error))
        raise CommandFailed(str(error), code=NOT_AGAIN) from error


def _found(folder: Path) -> dict[str, Any]:
    bento = describe(folder)
    runners = [{"name": one.name, "runnableType": one.type, "modelTags": list(one.models)} for one in bento.runners]
    return {
        "style": bento.style.value,
        "service": bento.service,
        "bentomlVersion": bento.bentoml_version,
        "runners": runners,
        "services": [one.name for one in bento.services],
        "models": list(bento.models),
    }
