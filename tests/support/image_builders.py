"""Real builders with a place of their own, programs that stand in for ones that are not here, and a context that is so
small that it needs no base: one static program."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

DOCKERFILE = """\
FROM scratch
COPY bin /bin
RUN echo hello > /greeting
CMD ["/bin/busybox", "cat", "/greeting"]
"""


def buildah_env(folder: Path) -> dict[str, str]:
    """An environment in which buildah keeps its images in this folder."""
    if shutil.which("buildah") is None:
        pytest.skip("not run: no buildah (Debian's package of that name)")
    if os.geteuid() != 0:
        pytest.skip("not run: buildah is tried as root")
    settings = folder / "storage.conf"
    places = f'graphroot = "{folder / "images"}"\nrunroot = "{folder / "run"}"\n'
    settings.write_text(f'[storage]\ndriver = "vfs"\n{places}')
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "CONTAINERS_STORAGE_CONF": str(settings)}


def small_context(folder: Path, dockerfile: str = DOCKERFILE, **files: str) -> Path:
    """A folder to build from; `files` are put beside the Dockerfile."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("not run: no busybox (Debian's package busybox-static)")
    (folder / "bin").mkdir(parents=True)
    shutil.copy(busybox, folder / "bin" / "busybox")
    for name in ("sh", "cat"):
        (folder / "bin" / name).symlink_to("busybox")
    (folder / "Dockerfile").write_text(dockerfile)
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def stand_ins(folder: Path, programs: Mapping[str, str]) -> dict[str, str]:
    """An environment whose PATH has these shell scripts first."""
    for name, script in programs.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return {"PATH": str(folder), "HOME": str(folder)}


def small_bento(folder: Path, dockerfile: str = DOCKERFILE) -> Path:
    """A bento that says what bentos say, with a Dockerfile that needs no base."""
    small_context(folder)
    (folder / "Dockerfile").unlink()
    (folder / "env" / "docker").mkdir(parents=True)
    (folder / "env" / "docker" / "Dockerfile").write_text(dockerfile)
    said = {"name": "sums", "version": "v1", "service": "service:Sums", "bentoml_version": "1.4.39", "models": []}
    services = [{"name": "Sums", "service": "", "models": [], "dependencies": [], "config": {}}]
    (folder / "bento.yaml").write_text(json.dumps({**said, "entry_service": "Sums", "services": services}))
    return folder
