"""The files an OCI image has under /models, from its layers: tar archives that add, replace and remove.

A model image ("modelcar") keeps its model in /models; everything else of the image is passed by. Whiteouts remove
what lower layers brought (`.wh.name`, and `.wh..wh..opq` for all a folder held). Links are followed when they lead to
a file under /models, and refused otherwise: nothing of the machine that unpacks is ever reached.
"""

import posixpath
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from fairlead.errors import StorageError
from fairlead.storage.archives import Budget, Damage, damaged, open_tar, pieces
from fairlead.storage.source import check_path

ROOT = "models"
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MOST_LINKS = 40

Kept = TypeVar("Kept")


class Tree(Generic[Kept]):
    """What lies under /models after the layers so far. `Kept` is whatever `keep` makes of a file's bytes."""

    def __init__(self, written: str) -> None:
        self._written = written
        self._files: dict[str, Kept] = {}
        self._links: dict[str, str] = {}
        self._folders: set[str] = set()

    def apply(self, name: str, layer: Path, budget: Budget, *, keep: Callable[[Iterable[bytes]], Kept]) -> None:
        """Put one more layer on top. Raises StorageError when it is damaged or holds what is refused."""
        below = {*self._files, *self._links}
        try:
            with open_tar(layer) as tar:
                for info in tar:
                    self._take(tar, info, below, budget, keep)
        except Damage as error:
            raise damaged(f"{self._written}: {name}", error) from error

    def files(self) -> dict[str, Kept]:
        """Every file by its path below /models, links resolved. Raises StorageError when there is none."""
        found = dict(self._files)
        for link in self._links:
            found |= self._behind(link)
        if not found:
            raise StorageError(
                f"Failed to fetch model. No model found in {self._written}: nothing is there: the image has no files "
                "under /models"
            )
        return {path.removeprefix(f"{ROOT}/"): kept for path, kept in found.items()}

    def _take(
        self,
        tar: tarfile.TarFile,
        info: tarfile.TarInfo,
        below: set[str],
        budget: Budget,
        keep: Callable[[Iterable[bytes]], Kept],
    ) -> None:
        path = posixpath.normpath(f"/{info.name}").strip("/")
        folder, name = posixpath.split(path)
        if name.startswith(_WHITEOUT):
            hidden = folder if name == _OPAQUE else posixpath.join(folder, name.removeprefix(_WHITEOUT))
            self._remove(hidden, among=below)
            return
        if path == ROOT and not info.isdir():
            raise StorageError(f"{self._written}: refused: /{ROOT} is not a folder in the image")
        if not path.startswith(f"{ROOT}/"):
            budget.skip(info.size)
            return
        budget.file()
        check_path(self._written, path)
        below.discard(path)
        self._forget(path)
        if info.isdir():
            return
        if path in self._folders:
            self._remove(path, among={*self._files, *self._links})
        self._folders.update(_parents(path))
        if info.issym():
            self._links[path] = posixpath.normpath(posixpath.join("/", folder, info.linkname)).strip("/")
        elif info.islnk():
            self._hard_link(path, posixpath.normpath(f"/{info.linkname}").strip("/"))
        elif info.isreg():
            source = tar.extractfile(info)
            assert source is not None
            self._files[path] = keep(pieces(self._written, source, budget))
        else:
            raise StorageError(f"{self._written}: refused: /{path} is a device or a pipe, not a file")

    def _hard_link(self, path: str, target: str) -> None:
        if target in self._files:
            self._files[path] = self._files[target]
        elif target in self._links:
            self._links[path] = self._links[target]
        else:
            raise StorageError(f"{self._written}: refused: /{path} is a link to /{target}, which is not under /{ROOT}")

    def _forget(self, path: str) -> None:
        """Another thing takes this name."""
        self._files.pop(path, None)
        self._links.pop(path, None)

    def _remove(self, path: str, *, among: set[str]) -> None:
        """Take away what lower layers had at a path and below it."""
        for there in [there for there in among if not path or there == path or there.startswith(f"{path}/")]:
            self._forget(there)

    def _behind(self, link: str) -> dict[str, Kept]:
        """The files that a symbolic link stands for: one, or a folder's."""
        target = self._links[link]
        for _ in range(_MOST_LINKS):
            if target not in self._links:
                break
            target = self._links[target]
        if target in self._files:
            return {link: self._files[target]}
        inside = f"{target}/"
        if link.startswith(inside) or not (target == ROOT or target.startswith(f"{ROOT}/")):
            raise StorageError(
                f"{self._written}: refused: /{link} is a link to /{target}, which is not a file or folder beside it "
                f"under /{ROOT}"
            )
        found = {
            link + path.removeprefix(target): kept for path, kept in self._files.items() if path.startswith(inside)
        }
        if not found:
            raise StorageError(f"{self._written}: refused: /{link} is a link to /{target}, which is not there")
        return found


def _parents(path: str) -> list[str]:
    segments = path.split("/")
    return ["/".join(segments[:count]) for count in range(1, len(segments))]
