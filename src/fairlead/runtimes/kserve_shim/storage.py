"""`Storage.download`: models are in place before user code runs, so only local paths mean something."""

from pathlib import Path

_FILE = "file://"


class Storage:
    """Gives the local path of a model."""

    @staticmethod
    def download(uri: str, out_dir: str | None = None) -> str:  # noqa: ARG004 - part of the signature
        """The path itself; `out_dir` is accepted and not needed, because nothing is copied."""
        path = uri.removeprefix(_FILE)
        if "://" in path:
            raise ValueError(f"Cannot recognize storage type for {uri}: name it as storageUri, and load the local path")
        if not Path(path).exists():
            raise RuntimeError(f"Local path {uri} does not exist.")
        return path
