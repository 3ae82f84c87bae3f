"""Archives made on the spot: good ones, and ones that a stranger would make to do harm."""

import io
import tarfile
import zipfile
from collections.abc import Mapping


def tar_bytes(files: Mapping[str, bytes], *odd: tarfile.TarInfo, compressed: bool = True) -> bytes:
    """A tar of these files, and of members that have no content: links, devices, folders."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz" if compressed else "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in odd:
            tar.addfile(info)
    return out.getvalue()


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """A member without content."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def tar_with_a_long_header() -> bytes:
    """A tar with two megabytes of attributes, which a reader would keep in memory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("model.bst")
        info.pax_headers = {"comment": "x" * 2 * 2**20}
        tar.addfile(info)
    return out.getvalue()


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def zipped_link(name: str, target: str) -> bytes:
    """A zip whose only member is a symbolic link."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = 0o120777 << 16
        archive.writestr(info, target)
    return out.getvalue()
