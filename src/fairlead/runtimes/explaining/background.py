"""The rows that an explanation compares with: what a feature is when it is not known."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import LoadError
from fairlead.runtimes.libraries import need

Array = np.ndarray[Any, Any]
NAMES = ("background.npy", "background.csv", "background.json", "background.parquet")


def find_background(folder: Path | None) -> Path | None:
    """The file with the rows; `None` when there is none."""
    if folder is None:
        return None
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def read_background(path: Path, *, unit: str) -> tuple[Array, list[str]]:
    """The rows `[n, features]` and the names of their columns, empty where the file has none. Raises `LoadError`."""
    try:
        rows, names = _READERS[path.suffix](path)
        table = np.asarray(rows, dtype=np.float64)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LoadError(f"unit {unit}: {path.name} does not hold a table of numbers: {error}") from error
    if table.ndim != 2 or not table.size:
        raise LoadError(
            f"unit {unit}: {path.name} holds an array of shape {list(table.shape)}; expected [rows, features]"
        )
    return table, names


def _npy(path: Path) -> tuple[Any, list[str]]:
    return np.load(path, allow_pickle=False), []


def _csv(path: Path) -> tuple[Any, list[str]]:
    """With or without a line of names."""
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    first = lines[0].split(",") if lines else []
    names = [] if all(_is_number(cell) for cell in first) else [cell.strip().strip('"') for cell in first]
    return [[float(cell) for cell in line.split(",")] for line in lines[bool(names) :]], names


def _json(path: Path) -> tuple[Any, list[str]]:
    """Rows, or `{"names": […], "rows": […]}`."""
    value = json.loads(path.read_text())
    return (value["rows"], list(value.get("names", ()))) if isinstance(value, dict) else (value, [])


def _parquet(path: Path) -> tuple[Any, list[str]]:
    frame = need("pandas", extra="explain").read_parquet(path)
    return frame.to_numpy(), [str(name) for name in frame.columns]


_READERS = {".npy": _npy, ".csv": _csv, ".json": _json, ".parquet": _parquet}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
