"""Tiny packages as pip knows them, made without any tool, so that tests of installing need no network."""

import io
import tarfile
import zipfile
from pathlib import Path


def wheel(folder: Path, name: str, version: str = "1.0", *, size_bytes: int = 0) -> Path:
    """A wheel with one module that knows its `VERSION`, and so many bytes of ballast."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if size_bytes:
        files[f"{name}_ballast.txt"] = "x" * size_bytes
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(inside, text)
    return path


_BACKEND = """
import pathlib, sys
sys.path.insert(0, {support!r})
from wheels import wheel

def build_wheel(folder, settings=None, metadata=None):
    return wheel(pathlib.Path(folder), {name!r}, {version!r}).name
"""


def source_package(folder: Path, name: str, version: str = "1.0") -> Path:
    """The same as sources, with what builds the wheel inside, so that building needs nothing from an index."""
    folder.mkdir(parents=True, exist_ok=True)
    support = str(Path(__file__).parent)
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "backend.py": _BACKEND.format(support=support, name=name, version=version),
        "pyproject.toml": f'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n',
    }
    path = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for inside, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{inside}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path
