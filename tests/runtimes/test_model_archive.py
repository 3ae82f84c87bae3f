import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fairlead.errors import LoadError
from fairlead.plan.model import Method
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable
from support.formats import needed
from support.units import answered, context, tensors_asking, unit
from support.user_files import forgotten

torch = needed("torch", "pip install torch")

SOURCE = """
import torch

class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(2, 1, bias=False)

    def forward(self, x):
        return self.line(x)
"""


def archive(folder: Path, files: dict[str, bytes], **model: Any) -> Path:
    """`model-store/line.mar` in a folder."""
    path = folder / "model-store" / "line.mar"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("MAR-INF/MANIFEST.json", json.dumps({"runtime": "python", "model": model}))
        for name, data in files.items():
            file.writestr(name, data)
    return path


def script(folder: Path) -> bytes:
    """A model that doubles what it gets."""

    class Twice(torch.nn.Module):  # type: ignore[misc, name-defined]  # the library is imported by name
        def forward(self, x):  # type: ignore[no-untyped-def]  # a tensor of a library without types
            return x * 2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(Twice(), torch.ones(1, 2)).save(str(folder / "twice.pt"))
    return (folder / "twice.pt").read_bytes()


def load(folder: Path) -> Servable:
    return registry.load(context(unit("pytorch", variant="torchserve"), folder, workdir=folder))


def predicted(servable: Servable) -> Any:
    answer = answered(servable.invoke(Method.PREDICT, tensors_asking({"x": [[1.0, 2.0]]})))
    return next(iter(answer.values()))[2]


def test_a_torch_script_in_an_archive_is_served_by_the_archives_name(tmp_path: Path) -> None:
    archive(tmp_path, {"twice.pt": script(tmp_path)}, modelName="twice", modelVersion="2.0", serializedFile="twice.pt")
    servable = load(tmp_path)

    assert predicted(servable) == [[2.0, 4.0]]
    assert (servable.called, servable.version) == ("twice", "2.0")  # type: ignore[attr-defined]  # the unit's own


def test_weights_in_an_archive_have_their_class_with_them(tmp_path: Path) -> None:
    torch.save({"line.weight": torch.tensor([[3.0, 1.0]])}, tmp_path / "w.pt")
    files = {"w.pt": (tmp_path / "w.pt").read_bytes(), "lines.py": SOURCE.encode()}
    archive(tmp_path, files, serializedFile="w.pt", modelFile="lines.py", handler="base_handler")

    with forgotten():
        assert predicted(load(tmp_path)) == [[5.0]]


@pytest.mark.parametrize(
    ("files", "model", "words"),
    [
        ({}, {"serializedFile": "m.pt", "handler": "mine.py"}, "has the handler mine.py, which only TorchServe runs"),
        ({}, {}, "names no model file"),
        ({"m.py": b"x = 1"}, {"serializedFile": "m.pt", "modelFile": "m.py"}, "is to define one class"),
        ({"m.py": b"class"}, {"serializedFile": "m.pt", "modelFile": "m.py"}, "m.py cannot be read"),
    ],
)
def test_an_archive_that_cannot_be_served_says_why(
    tmp_path: Path, files: dict[str, bytes], model: dict[str, str], words: str
) -> None:
    archive(tmp_path, files, **model)

    with pytest.raises(LoadError, match=words):
        load(tmp_path)


def test_a_file_that_is_no_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.mar").write_bytes(b"PK no")

    with pytest.raises(LoadError, match=r"x\.mar is not a model archive of TorchServe"):
        load(tmp_path)
