"""Finding a model's file in its folder, and saying what is wrong with a file that cannot be loaded.

A folder that holds something else, an empty file, a Git LFS pointer or a page of HTML are what people meet; each
gets its own words, because the unpickler's do not help.
"""

from collections.abc import Sequence
from pathlib import Path

from fairlead.errors import LoadError

_SHOWN = 8


_NEVER_MODELS = frozenset(("model-settings.json", "settings.json", "metadata.json", "requirements.txt", "readme.txt"))


def find_file(folder: Path | None, *, names: Sequence[str], suffixes: Sequence[str], unit: str) -> Path:
    """The first of `names` that is there; else the only file with one of `suffixes` (a model copied under another
    name)."""
    accepted = f"{', '.join(names)}, or a single {' or '.join(f'*{suffix}' for suffix in suffixes)}"
    if folder is None:
        raise LoadError(f"unit {unit}: no model to load: modelUri is not set; its folder should hold {accepted}")
    for name in names:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path for path in folder.iterdir() if path.is_file())
    candidates = [path for path in found if path.suffix in suffixes and path.name.lower() not in _NEVER_MODELS]
    if len(candidates) == 1:
        return candidates[0]
    reason = "several files could be the model" if candidates else "no model file"
    raise LoadError(f"unit {unit}: {reason}: found {listing(folder)}; accepted: {accepted}")


def find_lone_file(folder: Path | None, *, suffixes: Sequence[str], unit: str) -> Path:
    """The only file with one of `suffixes`, whatever it is called: KServe's servers take no other, and none when there
    are several."""
    accepted = f"a single {' or '.join(f'*{suffix}' for suffix in suffixes)}"
    if folder is None:
        raise LoadError(f"unit {unit}: no model to load: storageUri is not set; its folder should hold {accepted}")
    files = (path for path in folder.iterdir() if path.is_file() and path.suffix in suffixes)
    found = sorted(path for path in files if path.name.lower() not in _NEVER_MODELS)
    if len(found) > 1:
        names = [path.name for path in found]
        raise LoadError(f"More than one model file is detected, Only one is allowed within model_dir: {names}")
    if not found:
        raise LoadError(f"unit {unit}: no model file: found {listing(folder)}; accepted: {accepted}")
    return found[0]


def listing(folder: Path) -> str:
    """What a folder holds, for a message."""
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir())
    if not names:
        return "an empty folder"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def unreadable(path: Path, error: BaseException, *, what: str, unit: str, hint: str = "") -> LoadError:
    """The error for a file that its library refused. `what` is the format it should have; `hint` says what to do."""
    size = path.stat().st_size
    looks = _looks_like(path)
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    ending = f"; {hint}" if hint else ""
    detail = f"it is {looks}" if looks else f"{size} bytes: corrupt, truncated or another format? {reason}"
    return LoadError(f"unit {unit}: {path.name} cannot be loaded as {what}: {detail}{ending}")


def _looks_like(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(64).lstrip().lower()
    if not head:
        return "an empty file"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file itself (git lfs pull)"
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "an HTML or XML page, probably an error page saved in place of the model"
    return ""
