"""Models that a server fetches by itself, because its arguments name a repository of the Hugging Face Hub instead of a
folder."""

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fairlead.plan.model import Parameter

HUB_PARAMETERS = frozenset(("model_id", "model_revision", "revision", "tokenizer_revision"))
_REPOSITORY = re.compile(r"\w[-.\w]*/[-.\w]+")


def repository_of(parameters: Sequence[Parameter]) -> str:
    """The address of the model that is named, empty when none is."""
    given = {one.name: str(one.value) for one in parameters}
    name = given.get("model_id", "")
    if not _REPOSITORY.fullmatch(name):
        return ""
    revision = given.get("model_revision") or given.get("revision") or ""
    return f"hf://{name}:{revision}" if revision else f"hf://{name}"


def hub_folder(uri: str) -> Path:
    """Fetch a repository into a folder of this container's own; blocks. Raises `StorageError` and its kind."""
    from fairlead.pods.initializing import bring

    folder = Path(tempfile.mkdtemp(prefix="hub-"))
    bring(uri, folder, dict(os.environ), unpacks=False)
    return folder
