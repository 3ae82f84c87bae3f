"""The context of a bento: the bento, its models below `models/`, and the Dockerfile that `bentoml build` wrote."""

import re
from collections.abc import Mapping
from pathlib import Path

from fairlead.images.contexts.context import Context
from fairlead.images.contexts.dockerfile import PackageIndex, with_base, with_index
from fairlead.images.contexts.staging import copy_tree
from fairlead.images.failures import BuildFailed

_DOCKERFILE = Path("env", "docker", "Dockerfile")
_INDEX = re.compile(r"\s*(-i|--index-url)[\s=]")


def lay_out_bento(
    bento: Path, models: Mapping[str, Path], target: Path, *, base: str = "", index: PackageIndex | None = None
) -> Context:
    """Copy a bento into an empty folder, and each of `models` by its tag. Models that the bento has in it already
    stay."""
    if not (bento / _DOCKERFILE).is_file():
        raise BuildFailed(f"{bento}: no {_DOCKERFILE}, which bentoml writes into every bento that it builds")
    copy_tree(bento, target)
    for tag, folder in sorted(models.items()):
        name, _, version = tag.partition(":")
        place = target / "models" / name / version
        if not place.exists():
            copy_tree(folder, place)
        # No newline: bentoml reads it as it is.
        place.with_name("latest").write_text(version)
    file = target / _DOCKERFILE
    written = index or PackageIndex()
    file.write_text(with_index(with_base(file.read_text(), base), written))
    if written.url:
        _forget_index(target / "env" / "python")
    return Context(folder=target, dockerfile=file, build_args=_given(written), files=written.files)


def _forget_index(folder: Path) -> None:
    """bentoml writes the index that it resolved with into its lists, where it would win over the one that is wanted."""
    for path in folder.glob("requirements*"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not _INDEX.match(line)))


def _given(index: PackageIndex) -> dict[str, str]:
    return {} if index.is_secret else index.arguments
