import os
import socket
from pathlib import Path

import pytest

from fairlead.errors import Forbidden, StorageError
from fairlead.storage.fetch import Fetcher
from fairlead.storage.folders import FolderSource
from fairlead.storage.source import Changed


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", base=tmp_path)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "iris"
    (folder / "sub").mkdir(parents=True)
    (folder / "model.joblib").write_bytes(b"the model")
    (folder / "sub" / "labels.txt").write_text("a\nb\n")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", ["{0}", "file://{0}", "file:{0}", "models/iris", "./models/../models/iris/"])
def test_a_folders_contents_are_copied_whatever_the_form(fetcher: Fetcher, model: Path, form: str) -> None:
    fetched = fetcher.fetch(form.format(model))

    assert fetched != model
    assert contents(fetched) == {"model.joblib": b"the model", "sub/labels.txt": b"a\nb\n"}


def test_a_file_is_copied_into_a_folder_of_its_own(fetcher: Fetcher, model: Path) -> None:
    assert contents(fetcher.fetch(str(model / "model.joblib"))) == {"model.joblib": b"the model"}


def test_a_copy_is_read_only_and_does_not_change_with_the_original(fetcher: Fetcher, model: Path) -> None:
    fetched = fetcher.fetch(str(model))
    (model / "model.joblib").write_bytes(b"retrained")

    assert (fetched / "model.joblib").read_bytes() == b"the model"
    assert (fetched / "model.joblib").stat().st_mode & 0o222 == 0
    assert fetched.stat().st_mode & 0o222 == 0


def test_a_changed_folder_is_fetched_again_and_only_what_changed_is_read(fetcher: Fetcher, model: Path) -> None:
    before = fetcher.fetch(str(model))
    (model / "model.joblib").write_bytes(b"retrained")
    after = fetcher.fetch(str(model))

    assert (before / "model.joblib").read_bytes() == b"the model"
    assert (after / "model.joblib").read_bytes() == b"retrained"
    assert (before / "sub/labels.txt").stat().st_ino == (after / "sub/labels.txt").stat().st_ino


def test_an_edit_that_restores_size_and_time_is_still_seen(fetcher: Fetcher, model: Path) -> None:
    before = fetcher.fetch(str(model))
    file = model / "model.joblib"
    times = file.stat()
    file.write_bytes(b"THE MODEL")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert fetcher.fetch(str(model)) != before


def test_the_same_model_in_two_places_is_one_snapshot(fetcher: Fetcher, model: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    (twin / "sub").mkdir(parents=True)
    for name, content in contents(model).items():
        (twin / name).write_bytes(content)

    assert fetcher.fetch(str(twin)) == fetcher.fetch(str(model))


def test_a_large_folder_is_used_where_it_lies(tmp_path: Path, model: Path) -> None:
    fetcher = Fetcher(tmp_path / "cache", in_place_bytes=4)

    assert fetcher.fetch(str(model)) == model
    assert contents(fetcher.fetch(str(model / "model.joblib"))) == {"model.joblib": b"the model"}


def test_a_missing_path_names_the_path_tried_and_a_near_miss(fetcher: Fetcher, model: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        fetcher.fetch("models/irs")

    assert (
        str(caught.value)
        == f"Local path models/irs does not exist: there is no file or folder {tmp_path}/models/irs; did you mean iris?"
    )


def test_a_missing_path_names_the_nearest_folder_and_what_it_holds(fetcher: Fetcher, model: Path) -> None:
    with pytest.raises(StorageError, match=f"the nearest folder that exists is {model}; it holds model.joblib, sub"):
        fetcher.fetch(f"{model}/v1/zzz")


def test_an_empty_folder_fails(fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(StorageError, match=r"empty.*nothing is there"):
        fetcher.fetch("empty")


def test_a_folder_of_empty_files_fails(fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.bst").touch()

    with pytest.raises(StorageError, match="every file there is empty"):
        fetcher.fetch("model")


class TestLinks:
    def test_a_link_inside_the_folder_is_followed(self, fetcher: Fetcher, model: Path) -> None:
        (model / "latest.joblib").symlink_to("model.joblib")
        (model / "alias").symlink_to("sub")

        fetched = contents(fetcher.fetch(str(model)))

        assert fetched["latest.joblib"] == b"the model"
        assert fetched["alias/labels.txt"] == b"a\nb\n"

    def test_a_folder_named_by_a_link_is_the_folder(self, fetcher: Fetcher, model: Path, tmp_path: Path) -> None:
        (tmp_path / "current").symlink_to(model)

        assert fetcher.fetch("current") == fetcher.fetch(str(model))

    @pytest.mark.parametrize("target", ["/etc/hostname", "../../secret", "/etc"])
    def test_a_link_out_of_the_folder_is_refused(
        self, fetcher: Fetcher, model: Path, tmp_path: Path, target: str
    ) -> None:
        (tmp_path / "secret").write_text("hush")
        (model / "sub" / "leak").symlink_to(target)

        with pytest.raises(StorageError, match=r"'sub/leak' is a link to .*, outside the folder"):
            fetcher.fetch(str(model))

    def test_a_link_to_a_folder_above_is_refused(self, fetcher: Fetcher, model: Path) -> None:
        (model / "sub" / "loop").symlink_to("..")

        with pytest.raises(StorageError, match="'sub/loop' is a link to a folder above it"):
            fetcher.fetch(str(model))

    def test_a_dangling_link_is_named(self, fetcher: Fetcher, model: Path) -> None:
        (model / "gone").symlink_to("nowhere")

        with pytest.raises(StorageError, match="'gone' is a link to nothing"):
            fetcher.fetch(str(model))

    def test_a_file_swapped_for_a_link_after_listing_is_not_read(self, model: Path, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("hush-hush")
        source = FolderSource(model, written="model")
        entry = next(entry for entry in source.entries() if entry.path == "model.joblib")
        (model / "model.joblib").unlink()
        (model / "model.joblib").symlink_to(tmp_path / "secret")

        with pytest.raises(Changed):
            list(source.read(entry, 0))


def test_what_is_no_regular_file_is_refused(fetcher: Fetcher, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.sock")
        with pytest.raises(StorageError, match=r"'s\.sock' is not a regular file"):
            fetcher.fetch(str(model))
    os.unlink("s.sock")  # noqa: PTH108
    os.mkfifo("pipe")
    with pytest.raises(StorageError, match="'pipe' is not a regular file"):
        fetcher.fetch(str(model))


def test_a_file_that_changes_while_it_is_read_is_noticed(model: Path) -> None:
    source = FolderSource(model, written="model")
    entry = next(entry for entry in source.entries() if entry.path == "model.joblib")
    reading = source.read(entry, 0)
    next(reading)
    (model / "model.joblib").write_bytes(b"half a mo")

    with pytest.raises(Changed, match="changed while it was copied"):
        next(reading)


class TestRoots:
    def test_paths_under_the_owners_roots_are_read(self, model: Path, tmp_path: Path) -> None:
        fetcher = Fetcher(tmp_path / "cache", allowed_roots=[tmp_path / "models"])

        assert "model.joblib" in contents(fetcher.fetch(str(model)))

    @pytest.mark.parametrize("uri", ["/etc/hostname", "file:///etc", "{0}/models/../other", "{0}/models/out"])
    def test_paths_elsewhere_are_refused_also_through_links(self, tmp_path: Path, model: Path, uri: str) -> None:
        (tmp_path / "other").mkdir()
        (tmp_path / "models" / "out").symlink_to(tmp_path / "other")
        fetcher = Fetcher(tmp_path / "cache", allowed_roots=[tmp_path / "models"])

        with pytest.raises(Forbidden, match="only under the folders the owner allows"):
            fetcher.fetch(uri.format(tmp_path))

    def test_no_roots_at_all_means_no_local_files(self, tmp_path: Path, model: Path) -> None:
        with pytest.raises(Forbidden):
            Fetcher(tmp_path / "cache", allowed_roots=[]).fetch(str(model))

    def test_a_credential_file_obeys_the_same_rule(self, tmp_path: Path) -> None:
        fetcher = Fetcher(tmp_path / "cache", allowed_roots=[])

        with pytest.raises(Forbidden):
            fetcher.fetch("gs://b/p", env={"GOOGLE_APPLICATION_CREDENTIALS": "/etc/hostname"})


class TestSourcePatterns:
    def test_only_sources_that_match_are_fetched(self, tmp_path: Path, model: Path) -> None:
        fetcher = Fetcher(tmp_path / "cache", allowed_sources=["gs://seldon-models/*", f"{model.as_uri()}*"])

        assert fetcher.fetch(str(model)).is_dir()
        with pytest.raises(Forbidden, match=r"^s3://b/p: .* allow: gs://seldon-models/\*"):
            fetcher.check("s3://b/p")
        fetcher.check("gs://seldon-models/iris")

    def test_a_bucket_of_that_name_elsewhere_does_not_match(self, tmp_path: Path) -> None:
        fetcher = Fetcher(tmp_path / "cache", allowed_sources=["s3://trusted/*"])
        env = {
            "RCLONE_CONFIG_S3_TYPE": "s3",
            "RCLONE_CONFIG_S3_ENDPOINT": "https://stranger.example",
        }

        with pytest.raises(Forbidden, match=r"^https://stranger\.example/trusted/iris"):
            fetcher.fetch("s3://trusted/iris", env=env)


class TestClaims:
    def test_a_path_in_a_claim_is_copied(self, fetcher: Fetcher, tmp_path: Path, model: Path) -> None:
        claims = {"models": tmp_path / "models"}

        assert fetcher.fetch("pvc://models/iris", claim_folder=claims.get) == fetcher.fetch(str(model))

    def test_an_unknown_claim_is_named(self, fetcher: Fetcher) -> None:
        with pytest.raises(StorageError, match="there is no PersistentVolumeClaim 'models' in the namespace"):
            fetcher.fetch("pvc://models/iris")

    def test_a_claim_is_readable_although_local_files_are_restricted(self, tmp_path: Path, model: Path) -> None:
        fetcher = Fetcher(tmp_path / "cache", allowed_roots=[])

        assert fetcher.fetch("pvc://models/iris", claim_folder={"models": tmp_path / "models"}.get).is_dir()

    def test_a_link_out_of_the_claim_is_refused(self, fetcher: Fetcher, tmp_path: Path, model: Path) -> None:
        (model / "out").symlink_to("/etc")

        with pytest.raises(StorageError, match="leads out of the claim"):
            fetcher.fetch("pvc://models/iris/out", claim_folder={"models": tmp_path / "models"}.get)

    def test_a_missing_path_in_a_claim_says_what_is_there(self, fetcher: Fetcher, tmp_path: Path, model: Path) -> None:
        with pytest.raises(StorageError, match=r"pvc://models/iriss.*did you mean iris\?"):
            fetcher.fetch("pvc://models/iriss", claim_folder={"models": tmp_path / "models"}.get)
