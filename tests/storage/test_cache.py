import errno
import os
import threading
from pathlib import Path

import pytest

from fairlead.errors import StorageError
from fairlead.storage.cache import Blob, Cache, no_room
from fairlead.storage.fetch import Fetcher
from fairlead.storage.pruning import prune


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def blob(cache: Cache, content: bytes, *, key: str = "") -> Blob:
    import hashlib

    with cache.writing("some-key", waiting=lambda: None) as partial:
        partial.write_bytes(content)
        return cache.adopt(partial, hashlib.sha256(content).hexdigest(), key=key)


def all_files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


class TestBlobs:
    def test_equal_content_is_kept_once(self, cache: Cache) -> None:
        assert blob(cache, b"one") == blob(cache, b"one")
        assert len(list((cache.root / "blobs").glob("*/*"))) == 1

    def test_a_version_fetched_before_is_known(self, cache: Cache) -> None:
        made = blob(cache, b"one", key="version-1")

        assert cache.known("version-1") == made
        assert cache.known("version-2") is None

    def test_a_blob_that_was_written_to_is_not_known_any_more(self, cache: Cache) -> None:
        made = blob(cache, b"one", key="version-1")
        path = cache.root / "blobs" / made.sha256[:2] / made.sha256
        path.chmod(0o644)
        path.write_bytes(b"two")

        assert cache.known("version-1") is None

    def test_damage_that_hides_its_time_is_found_when_asked_thoroughly(self, cache: Cache) -> None:
        made = blob(cache, b"one", key="version-1")
        path = cache.root / "blobs" / made.sha256[:2] / made.sha256
        path.chmod(0o644)
        path.write_bytes(b"two")
        os.utime(path, ns=(made.mtime_ns, made.mtime_ns))

        assert cache.known("version-1") == made
        assert cache.known("version-1", thorough=True) is None

    def test_a_blob_that_was_only_touched_stays(self, cache: Cache) -> None:
        made = blob(cache, b"one", key="version-1")
        os.utime(cache.root / "blobs" / made.sha256[:2] / made.sha256)

        assert cache.known("version-1") == made

    def test_a_damaged_blob_is_replaced_by_the_next_download(self, cache: Cache) -> None:
        made = blob(cache, b"one")
        path = cache.root / "blobs" / made.sha256[:2] / made.sha256
        path.chmod(0o644)
        path.write_bytes(b"two")

        blob(cache, b"one")

        assert path.read_bytes() == b"one"

    def test_a_record_that_is_no_json_counts_as_none(self, cache: Cache) -> None:
        blob(cache, b"one", key="version-1")
        (cache.root / "files" / "version-1").write_bytes(b'{"sha2')

        assert cache.known("version-1") is None


class TestSnapshots:
    def test_the_same_files_are_the_same_snapshot(self, cache: Cache) -> None:
        files = [("a/x", blob(cache, b"one")), ("b", blob(cache, b"two"))]

        assert cache.snapshot(files) == cache.snapshot(files)
        assert cache.snapshot(files) != cache.snapshot(files[:1])

    def test_files_are_links_not_copies(self, cache: Cache) -> None:
        made = blob(cache, b"one")
        content = cache.content(cache.snapshot([("x", made)]))

        assert (content / "x").stat().st_nlink == 2

    def test_a_snapshot_is_rebuilt_where_links_are_not_possible(
        self, cache: Cache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: Path, target: Path) -> None:
            raise OSError(errno.EMLINK, "Too many links")

        made = blob(cache, b"one")
        monkeypatch.setattr(Path, "hardlink_to", refuse)
        digest = cache.snapshot([("x", made)])

        assert (cache.content(digest) / "x").read_bytes() == b"one"
        assert cache.use(digest) is not None

    @pytest.mark.parametrize("damage", ["content", "missing", "extra", "manifest", "no-manifest"])
    def test_damage_of_any_kind_is_seen_and_repaired(self, cache: Cache, damage: str) -> None:
        files = [("a/x", blob(cache, b"one")), ("b", blob(cache, b"two"))]
        digest = cache.snapshot(files)
        content = cache.content(digest)
        for folder in (content, content / "a"):
            folder.chmod(0o755)
        if damage == "content":
            (content / "b").unlink()
            (content / "b").write_bytes(b"bad")
        elif damage == "missing":
            (content / "b").unlink()
        elif damage == "extra":
            (content / "a" / "more").write_bytes(b"bad")
        elif damage == "manifest":
            (content.parent / "manifest.json").write_bytes(b'{"files":[]}')
        else:
            (content.parent / "manifest.json").unlink()

        assert cache.use(digest) is None
        assert cache.snapshot(files) == digest
        assert cache.use(digest) == content
        assert {str(p.relative_to(content)): p.read_bytes() for p in content.rglob("*") if p.is_file()} == {
            "a/x": b"one",
            "b": b"two",
        }
        assert not list((cache.root / "snapshots").glob(".*"))


class TestWriting:
    def test_one_writer_at_a_time_and_the_lock_file_goes(self, cache: Cache) -> None:
        inside: list[int] = []
        most: list[int] = []
        lock = threading.Lock()

        def write() -> None:
            with cache.writing("key", waiting=lambda: None):
                with lock:
                    inside.append(1)
                    most.append(len(inside))
                with lock:
                    inside.pop()

        threads = [threading.Thread(target=write) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert max(most) == 1
        assert not list((cache.root / "locks").iterdir())

    def test_a_partial_file_left_read_only_by_a_killed_writer_can_be_written_again(self, cache: Cache) -> None:
        cache.partial("key").write_bytes(b"whole")
        cache.partial("key").chmod(0o444)

        with cache.writing("key", waiting=lambda: None) as partial:
            assert partial.stat().st_mode & 0o200
            assert partial.read_bytes() == b"whole"

    def test_a_writer_who_waits_may_give_up(self, cache: Cache) -> None:
        def give_up() -> None:
            raise StorageError("enough")

        with (
            cache.writing("key", waiting=lambda: None),
            pytest.raises(StorageError, match="enough"),
            cache.writing("key", waiting=give_up),
        ):
            pytest.fail("two writers")


class TestPruning:
    @pytest.fixture
    def models(self, tmp_path: Path) -> list[Path]:
        folders = [tmp_path / f"model-{index}" for index in range(3)]
        for index, folder in enumerate(folders):
            folder.mkdir()
            (folder / "model.bst").write_bytes(bytes([index]) * 1000)
            (folder / "shared").write_bytes(b"s" * 500)
        return folders

    def fetched(self, fetcher: Fetcher, models: list[Path]) -> list[Path]:
        """The snapshots, used one after the other long ago."""
        paths = [fetcher.fetch(str(model)) for model in models]
        for index, path in enumerate(paths):
            os.utime(path.parent / "manifest.json", (1000 + index, 1000 + index))
        return paths

    def test_the_least_recently_used_goes_first_and_shared_files_stay(self, tmp_path: Path, models: list[Path]) -> None:
        fetcher = Fetcher(tmp_path / "cache")
        first, second, third = self.fetched(fetcher, models)

        result = fetcher.prune(keep=[], max_bytes=2500)

        assert (first.exists(), second.exists(), third.exists()) == (False, True, True)
        assert (second / "shared").read_bytes() == b"s" * 500
        assert (result.freed_bytes, result.kept_bytes, result.busy) == (1000, 2500, False)

    def test_what_is_kept_stays_even_when_it_is_too_much(self, tmp_path: Path, models: list[Path]) -> None:
        fetcher = Fetcher(tmp_path / "cache")
        first, second, third = self.fetched(fetcher, models)

        fetcher.prune(keep={first}, max_bytes=0)

        assert (first.exists(), second.exists(), third.exists()) == (True, False, False)
        assert fetcher.fetch(str(models[0])) == first

    def test_what_was_used_a_moment_ago_stays(self, tmp_path: Path, models: list[Path]) -> None:
        fetcher = Fetcher(tmp_path / "cache")
        path = fetcher.fetch(str(models[0]))

        fetcher.prune(keep=[], max_bytes=0)

        assert path.exists()
        fetcher.prune(keep=[], max_bytes=0, just_used_s=-1)
        assert all_files(tmp_path / "cache") == {"lock"}

    def test_nothing_happens_while_a_fetch_is_under_way(self, tmp_path: Path, models: list[Path]) -> None:
        fetcher = Fetcher(tmp_path / "cache")
        first, *_ = self.fetched(fetcher, models)

        with fetcher.cache.in_use():
            result = fetcher.prune(keep=[], max_bytes=0)

        assert result.busy
        assert first.exists()

    def test_leftovers_of_killed_processes_go_and_young_partial_files_stay(self, cache: Cache) -> None:
        (cache.root / "files" / ".new-x").touch()
        (cache.root / "snapshots" / ".new-y").mkdir()
        (cache.root / "locks" / "z").touch()
        old, young = cache.partial("old"), cache.partial("young")
        old.write_bytes(b"1")
        os.utime(old, (1000, 1000))
        young.write_bytes(b"2")

        prune(cache, keep=[], max_bytes=10**9)

        assert all_files(cache.root) == {"lock", f"partial/{young.name}"}


def test_a_full_disk_is_told_apart_from_other_failures(tmp_path: Path) -> None:
    full = no_room(OSError(errno.ENOSPC, "No space left on device"), tmp_path)

    assert full is not None
    assert "No space left on device" in str(full)
    assert "FAIRLEAD_HOME" in str(full)
    assert no_room(OSError(errno.EIO, "I/O error"), tmp_path) is None
