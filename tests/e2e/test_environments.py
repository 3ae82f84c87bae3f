"""Models that ask for libraries which are not installed here: an environment is built, and the status tells."""

from pathlib import Path

import pytest

from support.instance import Installation
from support.manifests import sdep
from support.models import save_mlflow
from support.package_index import package_index

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(package_index.__name__)]
ROW = {"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}


def events(running: Installation) -> list[str]:
    return [f"{one['reason']}: {one['message']}" for one in running.api("/api/v1/namespaces/default/events")["items"]]


def mlflow(name: str, folder: Path, **annotations: str) -> dict[str, object]:
    graph = {"name": "m", "implementation": "MLFLOW_SERVER", "modelUri": str(folder)}
    document = sdep(name, {"name": "default", "graph": graph})
    document["metadata"]["annotations"] = {f"fairlead.dev/{key}": value for key, value in annotations.items()}
    return document


def test_a_model_that_pins_what_is_not_installed_becomes_available(shared: Installation, tmp_path: Path) -> None:
    folder = save_mlflow(tmp_path / "m", "sklearn", ["scikit-learn", "cowsay==6.1"])
    shared.apply(mlflow("pinned", folder))
    shared.wait_for("pinned", timeout_s=120)

    assert shared.predict("pinned", ROW).status == 200
    told = [text for text in events(shared) if "environment of unit m" in text]
    assert any("requirements.txt: cowsay==6.1 (installed: not at all)" in text for text in told)
    assert any("installing 1 package" in text for text in told)
    assert any(text.startswith("EnvironmentBuilt: ") for text in told)
