from pathlib import Path

import pytest

from fairlead.errors import StorageError, StorageUnavailable
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.web_files import Served, file_server

QUICK = Patience(attempts=1, first_pause_s=0.001, read_timeout_s=5)


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", base=tmp_path, patience=QUICK)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "iris" / "v1").mkdir(parents=True)
    (folder / "iris" / "v1" / "model.bst").write_bytes(b"one")
    (folder / "iris" / "notes.txt").write_bytes(b"notes")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_pinned_model_is_there_while_its_store_is_away(fetcher: Fetcher) -> None:
    with file_server() as server:
        server.files["/model.bst"] = Served(b"weights")
        uri = f"{server.url}/model.bst"
        pinned = fetcher.pin(uri)

    assert fetcher.fetch(uri) == pinned == fetcher.pinned(uri)
    assert fetcher.unpin(uri)
    with pytest.raises(StorageUnavailable):
        fetcher.fetch(uri)


def test_a_path_below_what_is_pinned_is_served_from_it(fetcher: Fetcher, models: Path) -> None:
    fetcher.pin(f"file://{models}/iris/")
    (models / "iris" / "v1" / "model.bst").write_bytes(b"two")

    assert contents(fetcher.fetch(f"file://{models}/iris/v1")) == {"model.bst": b"one"}
    assert contents(fetcher.fetch(f"file://{models}/iris/notes.txt")) == {"notes.txt": b"notes"}
    assert contents(fetcher.fetch(f"file://{models}")) != {}
    with pytest.raises(StorageError, match="there is no file or folder"):
        fetcher.fetch(f"file://{models}/iris/v2")


def test_a_name_that_only_begins_like_a_pinned_one_is_another(fetcher: Fetcher, models: Path) -> None:
    fetcher.pin(str(models / "iris"))

    assert fetcher.pinned(str(models / "iris-v2")) is None


def test_a_pin_is_for_its_scope(fetcher: Fetcher, models: Path) -> None:
    uri = str(models / "iris")
    fetcher.pin(uri, scope="team")

    assert fetcher.pinned(uri, scope="team") is not None
    assert fetcher.pinned(uri) is None
    assert fetcher.pinned(uri, scope="others") is None
    fetcher.pin(uri)
    assert fetcher.pinned(uri, scope="others") is not None
    assert not fetcher.unpin(uri, scope="others")


def test_pruning_never_drops_what_is_pinned(fetcher: Fetcher, models: Path) -> None:
    pinned = fetcher.pin(str(models / "iris"))
    other = fetcher.fetch(str(models / "iris" / "notes.txt"), scope="elsewhere")

    fetcher.prune(keep=(), max_bytes=0, just_used_s=0)
    assert pinned.is_dir()
    fetcher.unpin(str(models / "iris"))
    fetcher.prune(keep=(), max_bytes=0, just_used_s=0)

    assert not pinned.exists()
    assert not other.exists()


def test_a_second_pin_brings_what_has_changed(fetcher: Fetcher, models: Path) -> None:
    uri = str(models / "iris" / "v1")
    fetcher.pin(uri)
    (models / "iris" / "v1" / "model.bst").write_bytes(b"two")

    fetcher.pin(uri)
    assert contents(fetcher.fetch(uri)) == {"model.bst": b"two"}


def test_a_damaged_pinned_copy_is_fetched_again(fetcher: Fetcher, models: Path) -> None:
    uri = str(models / "iris" / "v1")
    file = fetcher.pin(uri) / "model.bst"
    file.chmod(0o600)
    file.write_bytes(b"damaged!")

    assert fetcher.pinned(uri) is None
    assert contents(fetcher.fetch(uri)) == {"model.bst": b"one"}
