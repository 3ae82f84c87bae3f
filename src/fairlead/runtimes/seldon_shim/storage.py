"""`Storage.download`: models are in place before user code runs, so only local paths mean something."""

from pathlib import Path

_FILE = "file://"


class Storage:
    """Gives the local path of a model."""

    @staticmethod
    def download(uri: str, out_dir: str | None = None) -> str:  # noqa: ARG004 - part of the signature
        """The path itself; `out_dir` is accepted and not needed, because nothing is copied."""
        if uri.startswith(_FILE):
            path = uri.removeprefix(_FILE)
            if not Path(path).exists():
                raise RuntimeError(f"Local path {uri} does not exist.")
            return path
        if Path(uri).exists():
            return uri
        raise ValueError(
            f"Cannot recognize storage type for {uri}. Only file:// is currently available as storage type."
        )


download = Storage.download
