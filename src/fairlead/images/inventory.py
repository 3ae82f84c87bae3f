"""What is installed in an image, read from its layers: Python's distributions and the system's packages.

Nothing is run, so it is the same for every builder and for images of other machines. A file that a later layer replaces
or removes does not count.
"""

import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import IO, Any, cast

from fairlead.images.failures import BuildFailed

_DISTRIBUTION = re.compile(r".*\.dist-info/METADATA")
_DEBIAN, _ALPINE = "var/lib/dpkg/status", "lib/apk/db/installed"
_RELEASES = ("etc/os-release", "usr/lib/os-release")
_KEPT = re.compile(rf"{_DISTRIBUTION.pattern}|{_DEBIAN}|{_ALPINE}|{'|'.join(_RELEASES)}|var/lib/dpkg/status\.d/[^/.]+")
_GONE, _ALL_GONE = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Package:
    """`kind` is a package URL's type: `pypi`, `deb` or `apk`. `license` is an SPDX expression where the package has
    one; `system` is the distribution's name, such as `debian`."""

    kind: str
    name: str
    version: str
    license: str = ""
    architecture: str = ""
    system: str = ""


def packages_of(archive: Path) -> list[Package]:
    """The packages in an image that was saved as one tar. Raises `BuildFailed` for what is no such file."""
    try:
        with tarfile.open(archive) as image:
            files = _files(image)
    except (tarfile.TarError, OSError, EOFError, LookupError, TypeError, ValueError) as error:
        raise BuildFailed(f"{archive}: cannot be read as an image: {error}") from error
    return sorted(set(_packages(files)))


def _files(image: tarfile.TarFile) -> dict[str, bytes]:
    """The files that tell, as the last layer leaves them."""
    found: dict[str, bytes] = {}
    for name in _layers(image):
        with tarfile.open(fileobj=_opened(image, name), mode="r|*") as layer:
            for member in layer:
                _apply(found, layer, member)
    return found


def _apply(found: dict[str, bytes], layer: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    path = member.name.removeprefix("./").strip("/")
    folder, _, name = path.rpartition("/")
    if name == _ALL_GONE:
        _remove(found, folder)
    elif name.startswith(_GONE):
        _remove(found, f"{folder}/{name.removeprefix(_GONE)}".lstrip("/"))
    elif member.isfile() and _KEPT.fullmatch(path):
        content = layer.extractfile(member)
        found[path] = content.read() if content else b""


def _remove(found: dict[str, bytes], path: str) -> None:
    for each in [one for one in found if one == path or one.startswith(f"{path}/")]:
        del found[each]


def _layers(image: tarfile.TarFile) -> list[str]:
    """The names of the layers' files, in their order: of Docker's form, or of an OCI layout."""
    names = set(image.getnames())
    if "manifest.json" in names:
        return [str(layer) for layer in _json(image, "manifest.json")[0]["Layers"]]
    described = _json(image, "index.json")
    while "layers" not in described:
        described = _json(image, _blob(described["manifests"][0]))
    return [_blob(layer) for layer in described["layers"]]


def _blob(descriptor: Mapping[str, Any]) -> str:
    return f"blobs/{str(descriptor['digest']).replace(':', '/')}"


def _json(image: tarfile.TarFile, name: str) -> Any:
    return json.loads(_opened(image, name).read())


def _opened(image: tarfile.TarFile, name: str) -> IO[bytes]:
    opened = image.extractfile(name)
    if opened is None:
        raise KeyError(name)
    return opened


def _packages(files: Mapping[str, bytes]) -> Iterator[Package]:
    release = next((files[name].decode(errors="replace") for name in _RELEASES if files.get(name)), "")
    named = re.search(r'^ID="?([a-z0-9._-]+)', release, re.MULTILINE)
    system = named[1] if named else ""
    for path, content in files.items():
        text = content.decode("utf-8", "replace")
        if _DISTRIBUTION.fullmatch(path):
            yield from _distribution(text)
        elif path.startswith("var/lib/dpkg/"):
            yield from _debian(text, system or "debian")
        elif path == _ALPINE:
            yield from _alpine(text, system or "alpine")


def _distribution(text: str) -> Iterator[Package]:
    said = HeaderParser().parsestr(text)
    if said["Name"] and said["Version"]:
        name = re.sub(r"[-_.]+", "-", cast(str, said["Name"])).lower()
        yield Package(kind="pypi", name=name, version=said["Version"], license=said["License-Expression"] or "")


def _debian(text: str, system: str) -> Iterator[Package]:
    for block in text.split("\n\n"):
        said = dict(line.partition(": ")[::2] for line in block.splitlines() if not line.startswith(" "))
        is_installed = said.get("Status", "install ok installed").endswith(" installed")
        if said.get("Package") and said.get("Version") and is_installed:
            yield Package(
                kind="deb",
                name=said["Package"],
                version=said["Version"],
                architecture=said.get("Architecture", ""),
                system=system,
            )


def _alpine(text: str, system: str) -> Iterator[Package]:
    for block in text.split("\n\n"):
        said = dict(line.partition(":")[::2] for line in block.splitlines())
        if said.get("P") and said.get("V"):
            yield Package(kind="apk", name=said["P"], version=said["V"], architecture=said.get("A", ""), system=system)
