import lzma
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.errors import StorageError
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.archives import member, tar_bytes, tar_with_a_long_header, zip_bytes, zipped_link
from support.small_disk import run_on_small_disk
from support.web_files import FileServer, Served, file_server

QUICK = Patience(attempts=3, first_pause_s=0.001, read_timeout_s=5)
MODEL = {"model.joblib": bytes(range(256)) * 40, "meta/settings.json": b"{}"}


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", patience=QUICK)


def readable(value: object) -> str:
    """Names of tests without the bytes of archives, which hold the time."""
    return value if isinstance(value, str) else "archive"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unpacked(fetcher: Fetcher, folder: Path, name: str, content: bytes) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return contents(fetcher.fetch(str(folder), unpacks=True))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("iris.zip", zip_bytes(MODEL)),
        ("iris.tar", tar_bytes(MODEL, compressed=False)),
        ("iris.tar.gz", tar_bytes(MODEL)),
        ("iris.TGZ", tar_bytes(MODEL)),
        ("iris.tar.gz", tar_bytes({f"./{name}": content for name, content in MODEL.items()})),
        ("iris.tgz", tar_bytes(MODEL, member("meta", tarfile.DIRTYPE))),
        ("iris.bento", lzma.compress(tar_bytes(MODEL, compressed=False))),
        ("iris.bento", tar_bytes(MODEL, compressed=False)),
        ("iris.bentomodel", zip_bytes(MODEL)),
        ("download", lzma.compress(tar_bytes(MODEL, compressed=False))),  # the last word of a registry's path
    ],
    ids=readable,
)
def test_a_lone_archive_becomes_what_is_in_it(fetcher: Fetcher, tmp_path: Path, name: str, content: bytes) -> None:
    assert unpacked(fetcher, tmp_path / "model", name, content) == MODEL


def test_a_file_whose_name_says_nothing_is_unpacked_only_when_it_is_a_tar(fetcher: Fetcher, tmp_path: Path) -> None:
    assert unpacked(fetcher, tmp_path / "model", "weights", zip_bytes(MODEL)).keys() == {"weights"}
    assert unpacked(fetcher, tmp_path / "other", "weights", b"numbers") == {"weights": b"numbers"}


def test_an_archive_stays_one_unless_unpacking_is_asked_for(fetcher: Fetcher, tmp_path: Path) -> None:
    packed = tar_bytes(MODEL)
    (tmp_path / "iris.tgz").write_bytes(packed)

    assert contents(fetcher.fetch(str(tmp_path / "iris.tgz"))) == {"iris.tgz": packed}
    assert contents(fetcher.fetch(str(tmp_path / "iris.tgz"), unpacks=True)) == MODEL


def test_an_archive_beside_other_files_or_in_a_claim_stays_one(fetcher: Fetcher, tmp_path: Path) -> None:
    claim = tmp_path / "claim"
    (claim / "both").mkdir(parents=True)
    for path in (claim / "alone.zip", claim / "both" / "iris.zip"):
        path.write_bytes(zip_bytes(MODEL))
    (claim / "both" / "README").write_text("x")

    assert sorted(contents(fetcher.fetch(str(claim / "both"), unpacks=True))) == ["README", "iris.zip"]
    assert list(contents(fetcher.fetch("pvc://c/alone.zip", claim_folder=lambda _: claim, unpacks=True))) == [
        "alone.zip"
    ]


def test_an_unchanged_archive_is_not_fetched_or_unpacked_again(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/iris.zip"] = Served(zip_bytes(MODEL), headers={"Content-Type": "application/zip"})
    first = fetcher.fetch(f"{server.url}/iris.zip", unpacks=True)
    fetcher.prune(keep=[first], max_bytes=0, just_used_s=0)
    server.files["/iris.zip"].cut_at, server.files["/iris.zip"].cuts = 0, 5

    assert fetcher.fetch(f"{server.url}/iris.zip", unpacks=True) == first
    assert contents(first) == MODEL


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (tar_bytes({"../evil": b"x"}), "would leave the model's folder"),
        (tar_bytes({"/etc/evil": b"x"}), "would leave the model's folder"),
        (tar_bytes({"a/../../evil": b"x"}), "would leave the model's folder"),
        (tar_bytes({}, member("evil", tarfile.SYMTYPE, "/etc/passwd")), "'evil' is a link"),
        (tar_bytes({"a": b"x"}, member("evil", tarfile.LNKTYPE, "a")), "'evil' is a link"),
        (tar_bytes({}, member("evil", tarfile.CHRTYPE)), "a device or a pipe"),
        (tar_bytes({}, member("evil", tarfile.FIFOTYPE)), "a device or a pipe"),
        (tar_bytes({}, member("empty", tarfile.DIRTYPE)), "the archive holds no file"),
        (tar_bytes({"a": b"x", "a/b": b"y"}), "both a file and a folder"),
        (tar_with_a_long_header(), "refused: the archive has a header of"),
        (tar_bytes(MODEL)[:200], "the archive is damaged"),
        (b"not an archive", "the archive is damaged"),
        (tar_bytes({"model.bst": bytes(3 * 2**20)}), "unpacks to more than the limit of 2097152 bytes"),
    ],
    ids=readable,
)
def test_a_tar_that_could_do_harm_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    fetcher = Fetcher(tmp_path / "cache", max_bytes=2 * 2**20)

    with pytest.raises(StorageError, match=says):
        unpacked(fetcher, tmp_path / "model", "iris.tgz", content)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zip_bytes({"../evil": b"x"}), "would leave the model's folder"),
        (zip_bytes({"..\\evil": b"x"}), "would leave the model's folder"),
        (zipped_link("evil", "/etc/passwd"), "a link or a device"),
        (zip_bytes(MODEL)[:300], "the archive is damaged"),
        (zip_bytes(MODEL)[:60] + bytes(20) + zip_bytes(MODEL)[80:], "the archive is damaged"),
        (zip_bytes({"model.bst": bytes(3 * 2**20)}), "unpacks to more than the limit of 2097152 bytes"),
    ],
    ids=readable,
)
def test_a_zip_that_could_do_harm_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    fetcher = Fetcher(tmp_path / "cache", max_bytes=2 * 2**20)

    with pytest.raises(StorageError, match=says):
        unpacked(fetcher, tmp_path / "model", "iris.zip", content)


def test_what_a_refused_archive_wrote_is_gone_after_pruning(fetcher: Fetcher, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="damaged"):
        unpacked(fetcher, tmp_path / "model", "iris.tgz", tar_bytes({"model.bst": b"x" * 10_000})[:-20])

    fetcher.prune(keep=(), max_bytes=0, just_used_s=0)
    assert not [path for path in (tmp_path / "cache" / "blobs").rglob("*") if path.is_file()]
    assert not list((tmp_path / "cache" / "partial").iterdir())


@pytest.mark.parametrize(
    ("name", "said", "accepted"),
    [
        ("iris.zip", "application/zip", True),
        ("iris.zip", "application/x-zip-compressed; charset=binary", True),
        ("iris.zip", "application/octet-stream", True),
        ("iris.zip", "text/plain", False),
        ("iris.tar.gz", "application/gzip", True),
        ("iris.tgz", "application/x-tar", True),
        ("iris.tar", "application/json", False),
    ],
)
def test_a_web_server_must_call_an_archive_one(
    server: FileServer, fetcher: Fetcher, name: str, said: str, accepted: bool
) -> None:
    content = zip_bytes(MODEL) if name.endswith("zip") else tar_bytes(MODEL)
    server.files[f"/{name}"] = Served(content, headers={"Content-Type": said})
    uri = f"{server.url}/{name}"

    if accepted:
        assert contents(fetcher.fetch(uri, unpacks=True)) == MODEL
        return
    expected = rf"URI: {uri} did not respond with any of following 'Content-Type': application/.*; it responded with"
    with pytest.raises(StorageError, match=expected):
        fetcher.fetch(uri, unpacks=True)


def test_a_full_disk_while_unpacking_is_said_clearly_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "iris.tgz").write_bytes(tar_bytes({"model.bst": bytes(8 * 2**20)}))
    script = """
import sys
from pathlib import Path
from fairlead.errors import StorageError
from fairlead.storage.fetch import Fetcher
cache = Path(sys.argv[1])
try:
    Fetcher(cache).fetch(sys.argv[2], unpacks=True)
except StorageError as error:
    print(error)
print([str(path) for folder in ("blobs", "partial") for path in (cache / folder).rglob("*") if path.is_file()])
"""
    done = run_on_small_disk(tmp_path / "small", script, str(tmp_path / "small"), str(tmp_path / "iris.tgz"))

    assert done.returncode == 0, done.stderr
    assert "cannot hold the model" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


class TestPatterns:
    def test_only_wanted_files_are_fetched(self, server: FileServer, fetcher: Fetcher, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        folder.mkdir()
        for name in ("model.safetensors", "model.bin", "config.json"):
            (folder / name).write_text(name)

        listed = fetcher.fetch(str(folder), env={"STORAGE_ALLOW_PATTERNS": '["*.safetensors", "*.json"]'})
        comma = fetcher.fetch(str(folder), env={"STORAGE_IGNORE_PATTERNS": "*.bin, *.json"})

        assert sorted(contents(listed)) == ["config.json", "model.safetensors"]
        assert sorted(contents(comma)) == ["model.safetensors"]
        assert len(contents(fetcher.fetch(str(folder)))) == 3

    @pytest.mark.parametrize(
        ("env", "says"),
        [
            ({"STORAGE_ALLOW_PATTERNS": "*.none"}, "leave none of the 1 files"),
            ({"STORAGE_ALLOW_PATTERNS": "[1]"}, "must be a JSON list of patterns"),
            ({"STORAGE_IGNORE_PATTERNS": '["a'}, "must be a JSON list of patterns"),
        ],
    )
    def test_patterns_that_leave_nothing_or_mean_nothing_are_errors(
        self, fetcher: Fetcher, tmp_path: Path, env: dict[str, str], says: str
    ) -> None:
        (tmp_path / "model.bst").write_text("x")

        with pytest.raises(StorageError, match=says):
            fetcher.fetch(str(tmp_path / "model.bst"), env=env)
