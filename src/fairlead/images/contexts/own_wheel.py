"""This package as a wheel, made of what is installed here: images get the Fairlead that made them, from no index.

The same version always gives the same bytes.
"""

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import fairlead
from fairlead.images.failures import BuildFailed

_LEFT_OUT = frozenset((".pyc", ".pyo"))
_TIME = (1980, 1, 1, 0, 0, 0)
_NAME = "fairlead"


def write_wheel(folder: Path) -> Path:
    """The wheel, in this folder."""
    own = _own()
    info = f"{_NAME}-{own.version}.dist-info"
    path = folder / f"{_NAME}-{own.version}-py3-none-any.whl"
    record: list[str] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in (*_package(), *_described(own, info)):
            _add(wheel, name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}")
        _add(wheel, f"{info}/RECORD", "".join(f"{line}\n" for line in (*record, f"{info}/RECORD,,")).encode())
    return path


def pins(extra: str) -> list[str]:
    """The versions installed here of all that Fairlead with this extra depends on, as constraints."""
    from packaging.requirements import Requirement

    found: dict[str, str] = {}
    asked = [(Requirement(f"{_NAME}[{extra}]" if extra else _NAME))]
    seen: set[str] = set()
    while asked:
        wanted = asked.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        try:
            here = distribution(wanted.name)
        except PackageNotFoundError:
            continue
        found[here.metadata["Name"]] = here.version
        for line in here.requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": one}) for one in (*wanted.extras, "")):
                asked.append(needed)
    # A local version (`2.5+cpu`) is one that no index has.
    return sorted(f"{name}=={version}" for name, version in found.items() if name != _NAME and "+" not in version)


def libraries(extra: str) -> list[str]:
    """The names of what an extra installs, without versions."""
    from packaging.requirements import Requirement

    needed = [Requirement(line) for line in _own().requires or ()]
    return sorted(
        {
            one.name
            for one in needed
            if one.marker and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate({"extra": ""})
        }
    )


def _package() -> Iterator[tuple[str, bytes]]:
    root = Path(fairlead.__file__ or "").parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix not in _LEFT_OUT:
            yield f"{_NAME}/{path.relative_to(root).as_posix()}", path.read_bytes()


def _described(own: Distribution, info: str) -> Iterator[tuple[str, bytes]]:
    yield f"{info}/METADATA", (own.read_text("METADATA") or "").encode()
    yield f"{info}/WHEEL", b"Wheel-Version: 1.0\nGenerator: fairlead\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    yield f"{info}/entry_points.txt", (own.read_text("entry_points.txt") or "").encode()


def _own() -> Distribution:
    try:
        return distribution(_NAME)
    except PackageNotFoundError as error:
        raise BuildFailed("Fairlead is not installed here as a package, so it cannot be put into an image") from error


def _add(wheel: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    wheel.writestr(entry, content)
