"""A bento that lies here, given where a manifest is expected: the BentoRequest and BentoDeployment that serve it.

`fairlead run ./iris.bento` is then all that a person needs. What the bento is called, and which models it wants, stands
in its `bento.yaml`; models that it does not bring are looked for in BentoML's own home, where `bentoml build` found
them.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.errors import StorageError

if TYPE_CHECKING:
    from fairlead.runtimes.bento.values import Description
    from fairlead.storage.archives import Member

_SUFFIX, _FILE = ".bento", "bento.yaml"
_LARGEST_BYTES = 16 * 1024**2


def is_one(name: str) -> bool:
    """Whether a name is that of a bento here: what `bentoml export` wrote, or the folder of one."""
    path = Path(name)
    return (path.suffix == _SUFFIX and path.is_file()) or (path / _FILE).is_file()


def manifest_of(name: str) -> str:
    """The manifest that serves it. Raises `BadBento` and `StorageError`."""
    import yaml  # which most commands do without

    path = Path(name).absolute()
    bento, brought = _looked_into(path)
    called = re.sub(r"[_.]+", "-", bento.name)
    request = {
        "apiVersion": "resources.yatai.ai/v1alpha1",
        "kind": "BentoRequest",
        "metadata": {"name": called},
        "spec": {"bentoTag": bento.tag, "downloadUrl": path.as_uri(), "models": list(_models(bento, brought))},
    }
    deployment = {
        "apiVersion": "serving.yatai.ai/v2alpha1",
        "kind": "BentoDeployment",
        "metadata": {"name": called},
        "spec": {"bento": called},
    }
    return yaml.safe_dump_all((request, deployment), sort_keys=False)


def _looked_into(path: Path) -> "tuple[Description, set[str]]":
    """What it says of itself, and the tags of the models that it brings."""
    import yaml

    from fairlead.runtimes.bento.description import describe, read
    from fairlead.storage import archives

    if path.is_dir():
        found = (one for one in (path / "models").glob("*/*") if one.is_dir())
        return describe(path), {f"{one.parent.name}:{one.name}" for one in found}
    text, brought = b"", set()
    budget = archives.Budget(path.name, path.stat().st_size, None)
    for member in archives.members(str(path.parent), path.name, path, budget):
        parts = member.path.split("/")
        if member.path == _FILE:
            text = _whole(path, member)
        elif parts[0] == "models" and len(parts) > 3:
            brought.add(":".join(parts[1:3]))
    return read(yaml.safe_load(text)), brought


def _whole(path: Path, member: "Member") -> bytes:
    text = b""
    for chunk in member.chunks:
        text += chunk
        if len(text) > _LARGEST_BYTES:
            raise StorageError(f"{path}: {_FILE} is larger than {_LARGEST_BYTES} bytes, which no bento's is")
    return text


def _models(bento: "Description", brought: set[str]) -> Iterator[dict[str, str]]:
    """Those that have to come from elsewhere. One that is not here either is left to the registry."""
    store = Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml").expanduser() / "models"
    for tag in bento.models:
        folder = store / tag.replace(":", "/")
        if tag not in brought and folder.is_dir():
            yield {"tag": tag, "downloadUrl": folder.absolute().as_uri()}
