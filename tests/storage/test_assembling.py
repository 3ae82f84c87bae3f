from pathlib import Path

import pytest

from fairlead.errors import StorageError
from fairlead.storage.fetch import Fetcher
from support.archives import zip_bytes


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", in_place_bytes=0)


def model(folder: Path, **files: str) -> str:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    return str(folder)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_parts_lie_where_they_were_asked_for_and_share_their_bytes(fetcher: Fetcher, tmp_path: Path) -> None:
    base, adapter = model(tmp_path / "base", weights="w"), model(tmp_path / "adapter", lora="l")
    (tmp_path / "extra.zip").write_bytes(zip_bytes({"tokens.json": b"{}"}))
    parts = [(base, ""), (adapter, "adapters/a"), (str(tmp_path / "extra.zip"), "extra")]

    folder = fetcher.fetch_parts(parts, unpacks=True)

    assert contents(folder) == {"weights": "w", "adapters/a/lora": "l", "extra/tokens.json": "{}"}
    blobs = [path for path in (tmp_path / "cache" / "blobs").rglob("*") if path.is_file()]
    assert (folder / "weights").stat().st_ino in {path.stat().st_ino for path in blobs}
    assert fetcher.fetch_parts(parts, unpacks=True) == folder


def test_a_later_part_wins_over_an_earlier_one(fetcher: Fetcher, tmp_path: Path) -> None:
    first, second = model(tmp_path / "a", x="1", y="1"), model(tmp_path / "b", x="2")

    assert contents(fetcher.fetch_parts([(first, ""), (second, "")])) == {"x": "2", "y": "1"}


def test_a_file_where_a_folder_must_be_is_refused(fetcher: Fetcher, tmp_path: Path) -> None:
    first, second = model(tmp_path / "a", x="1"), model(tmp_path / "b", y="2")

    with pytest.raises(StorageError, match="'x' is a file of one part of the model and a folder of another"):
        fetcher.fetch_parts([(first, ""), (second, "x")])
    with pytest.raises(StorageError, match="would leave the model's folder"):
        fetcher.fetch_parts([(first, "../x")])


def test_an_assembled_folder_outlives_its_parts(fetcher: Fetcher, tmp_path: Path) -> None:
    folder = fetcher.fetch_parts([(model(tmp_path / "a", x="1"), "a"), (model(tmp_path / "b", y="2"), "b")])

    fetcher.prune(keep=[folder], max_bytes=0, just_used_s=0)

    assert contents(folder) == {"a/x": "1", "b/y": "2"}
