import json
import subprocess
import sys
from pathlib import Path

import pytest

from fairlead.errors import MissingExtra, UnknownRuntime
from fairlead.runtimes import registry
from fairlead.runtimes.libraries import need
from support.units import context, unit

HEAVY = [
    "catboost",
    "joblib",
    "lightgbm",
    "mlflow",
    "onnxruntime",
    "pandas",
    "scipy",
    "sklearn",
    "tensorflow",
    "xgboost",
]


def heavy_after(code: str) -> list[str]:
    """The model libraries that a fresh interpreter has imported after this code."""
    script = f"import sys, json\n{code}\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names: list[str] = json.loads(result.stdout)
    return names


def test_every_runtime_is_listed() -> None:
    assert {"catboost", "lightgbm", "mlflow", "onnx", "pytorch", "sklearn", "tensorflow", "xgboost"} <= set(
        registry.known()
    )
    assert registry.known() == sorted(registry.known())


@pytest.mark.slow
def test_no_model_library_is_imported_before_a_model_is_loaded() -> None:
    modules = "\n".join(f"import {entry.module}" for entry in registry._ENTRIES.values())

    assert heavy_after(f"import fairlead.runtimes.registry\n{modules}") == []


@pytest.mark.slow
def test_preloading_imports_the_libraries_of_one_runtime() -> None:
    loaded = heavy_after("from fairlead.runtimes import registry\nregistry.preload('sklearn')")

    assert "sklearn" in loaded
    assert "xgboost" not in loaded
    assert "mlflow" not in loaded


@pytest.mark.slow
def test_preloading_every_runtime_works_and_mlflow_calls_nobody() -> None:
    code = """
import os
from fairlead.runtimes import registry
from fairlead.errors import MissingExtra
for name in registry.known():
    try:
        registry.preload(name)
    except MissingExtra as missing:  # PyTorch is in no environment made from the lock
        assert "torch is not installed" in str(missing)
assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
"""
    assert set(heavy_after(code)) == set(HEAVY)


def test_an_unknown_runtime_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownRuntime, match="no runtime serves 'magic'; available: art, builtin, catboost"):
        registry.load(context(unit("magic")))


@pytest.mark.parametrize("runtime", ["autogluon", "paddle", "pmml", "predictive"])
def test_a_format_of_other_platforms_that_is_not_here_says_what_to_do(runtime: str) -> None:
    with pytest.raises(UnknownRuntime, match=f"no runtime serves '{runtime}': .*; available: "):
        registry.load(context(unit(runtime)))


def test_the_extra_of_a_runtime() -> None:
    assert registry.extra_of("sklearn") == "sklearn"
    assert registry.extra_of("python") is None


def test_a_missing_library_is_answered_with_the_install_command() -> None:
    with pytest.raises(MissingExtra, match=r"^nothing_like_it is not installed: pip install 'fairlead\[magic\]'$"):
        need("nothing_like_it", extra="magic")


def test_a_library_that_lacks_something_of_its_own_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "half_installed.py").write_text("import something_it_needs\n")

    with pytest.raises(ModuleNotFoundError, match="something_it_needs"):
        need("half_installed", extra="magic")
