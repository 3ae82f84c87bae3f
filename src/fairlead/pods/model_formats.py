"""The format of a model by what lies in its folder, for a server that nobody told."""

from pathlib import Path

_FILES = (
    ("MLmodel", "mlflow"),
    ("saved_model.pb", "tensorflow"),
    ("config.pbtxt", "triton"),
    ("model-settings.json", "mlserver"),
    ("model-store", "pytorch"),
    ("tokenizer_config.json", "huggingface"),
)
_SUFFIXES = {
    ".joblib": "sklearn",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
    ".bst": "xgboost",
    ".json": "xgboost",
    ".ubj": "xgboost",
    ".onnx": "onnx",
    ".cbm": "catboost",
    ".mar": "pytorch",
    ".txt": "lightgbm",
}
_BY_NAME = {".txt": "model.txt", ".json": "model.json"}
"""Suffixes that mean a model only under this name."""


def format_in(folder: Path) -> str:
    """The format, empty when it cannot be told."""
    if not folder.is_dir():
        return ""
    paths = sorted(folder.iterdir())
    names = {path.name for path in paths}
    for name, found in _FILES:
        if name in names or any((path / name).exists() for path in paths if path.is_dir()):
            return found
    known = {
        _SUFFIXES[path.suffix]
        for path in paths
        if path.suffix in _SUFFIXES and _BY_NAME.get(path.suffix, path.name) == path.name
    }
    return known.pop() if len(known) == 1 else ""
