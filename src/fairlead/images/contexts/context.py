"""What a builder is given of an image's contents."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A folder and the Dockerfile in it. `files` are the texts of secrets by their ids; they are not in the folder."""

    folder: Path
    dockerfile: Path
    build_args: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
