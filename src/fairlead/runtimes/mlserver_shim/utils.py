"""Where a model's files are."""

from collections.abc import Sequence
from pathlib import Path

from fairlead.runtimes.mlserver_shim.errors import InvalidModelURI
from fairlead.runtimes.mlserver_shim.settings import ModelSettings


async def get_model_uri(settings: ModelSettings, wellknown_filenames: Sequence[str] = ()) -> str:
    """The file or folder the settings name; of a folder, the first of the well-known files in it."""
    uri = settings.parameters.uri if settings.parameters is not None else None
    if not uri:
        raise InvalidModelURI(settings.name)
    path = Path(uri.removeprefix("file:"))
    if path.is_file():
        return str(path)
    for name in wellknown_filenames:
        if (path / name).is_file():
            return str(path / name)
    if path.is_dir() and not wellknown_filenames:
        return str(path)
    raise InvalidModelURI(settings.name, uri)
