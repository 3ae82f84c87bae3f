"""Conda's own packages as pip knows them, as far as they are Python packages at all.

Conda's lists mix Python libraries with compilers, system libraries and programs, and nothing in a list tells them
apart; so what is well known not to be Python is named here.
"""

import re

_ENTRY = re.compile(r"(?:[^:\s]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<version>.*)")
_NO_PYTHON = re.compile(
    r"_.*|lib.*|r-.*|.*linux-64|cuda.*|cudnn|nccl|mkl|openblas|blas|lapack|gcc.*|gxx.*|clang.*|llvm-openmp|openssl|"
    r"openjdk|nodejs|ca-certificates|tk|zlib|xz|sqlite|readline|ncurses|bzip2|git|make|cmake|pkg-config|"
    r"vs\d+_runtime|vc|intel-openmp|ffmpeg|pytorch-cuda|cpuonly"
)
_PART_OF_PYTHON = frozenset(("pip", "setuptools", "wheel"))
_OTHER_NAMES = {"pytorch": "torch", "py-xgboost": "xgboost", "py-opencv": "opencv-python", "msgpack-python": "msgpack"}


def pip_requirement(entry: str) -> str:
    """`scikit-learn==1.0.*` for conda's `scikit-learn=1.0`; empty for what pip has no use for."""
    found = _ENTRY.fullmatch(entry.strip())
    if found is None:
        return ""
    name = found["name"].lower()
    if _NO_PYTHON.fullmatch(name) or name in _PART_OF_PYTHON:
        return ""
    return _OTHER_NAMES.get(name, name) + _specifier(found["version"].replace(" ", ""))


def is_part_of_python(entry: str) -> bool:
    """Whether it is a tool that every environment has, or needs none of."""
    found = _ENTRY.fullmatch(entry.strip())
    return found is not None and found["name"].lower() in _PART_OF_PYTHON


def _specifier(version: str) -> str:
    """Conda's single `=` means "starts with", and what follows a second one is the build."""
    found = re.fullmatch(r"(==?)([^=*]+?)(\.?\*)?(?:=\S+)?", version)
    if found is None:
        return version
    sign, wanted, star = found.groups()
    is_exact = not star and (sign == "==" or wanted.count(".") >= 2)
    return f"=={wanted}" if is_exact else f"=={wanted}.*"
