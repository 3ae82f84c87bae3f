import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fairlead.errors import FairleadError, StorageError, StorageUnavailable
from fairlead.storage.credentials import from_secret
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.s3 import ACCESS_KEY, SECRET_KEY, S3Server, s3_server
from support.small_disk import run_on_small_disk
from support.web_files import Served, file_server

QUICK = Patience(attempts=2, first_pause_s=0.001, read_timeout_s=10)
MODEL = bytes(range(256)) * 8192


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        server.put("models", "iris/model.joblib", MODEL)
        server.put("models", "iris/sub/a#b%20c?.txt", b"odd")
        server.put("models", "iris-v2/model.joblib", b"another model")
        (server.root / "models" / "empty").mkdir()
        yield server


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", patience=QUICK)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestS3:
    @pytest.mark.parametrize("uri", ["s3://models/iris", "s3:models/iris/", "s3a://models//iris"])
    def test_objects_below_the_prefix_are_copied(self, s3: S3Server, fetcher: Fetcher, uri: str) -> None:
        fetched = fetcher.fetch(uri, env=s3.env())

        assert contents(fetched) == {"model.joblib": MODEL, "sub/a#b%20c?.txt": b"odd"}

    def test_one_object_is_copied_under_its_own_name(self, s3: S3Server, fetcher: Fetcher) -> None:
        assert contents(fetcher.fetch("s3://models/iris/model.joblib", env=s3.env())) == {"model.joblib": MODEL}

    def test_a_remote_of_any_name_and_a_legacy_secret_work(self, s3: S3Server, fetcher: Fetcher) -> None:
        legacy = from_secret(
            {"awsAccessKeyID": ACCESS_KEY.encode(), "awsSecretAccessKey": SECRET_KEY.encode()},
            {"serving.kserve.io/s3-endpoint": s3.url.removeprefix("http://"), "serving.kserve.io/s3-usehttps": "0"},
        )

        by_name = fetcher.fetch("minio://models/iris", env=s3.env("MINIO"))
        by_annotations = fetcher.fetch("s3://models/iris", env=legacy)

        assert by_name == by_annotations == fetcher.fetch("s3://models/iris", env=s3.env())

    def test_the_installations_own_credentials_serve_fetches_without_a_secret(
        self, s3: S3Server, tmp_path: Path
    ) -> None:
        fetcher = Fetcher(tmp_path / "cache", defaults=s3.env(), patience=QUICK)

        assert "model.joblib" in contents(fetcher.fetch("s3://models/iris"))

    def test_the_processs_own_variables_do_not_leak_into_a_fetch(
        self, s3: S3Server, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in {
            "AWS_SESSION_TOKEN": "not-for-this-store",
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
            "AWS_SKIP_SIGNATURE": "true",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        }.items():
            monkeypatch.setenv(name, value)

        assert "model.joblib" in contents(fetcher.fetch("s3://models/iris", env=s3.env()))

    def test_an_unchanged_source_is_not_downloaded_again(self, s3: S3Server, fetcher: Fetcher) -> None:
        first = fetcher.fetch("s3://models/iris", env=s3.env())
        heard: list[tuple[int, int]] = []

        again = fetcher.fetch("s3://models/iris", env=s3.env(), progress=lambda *now: heard.append(now))

        assert again == first
        assert heard == [(len(MODEL) + 3, len(MODEL) + 3)]

    def test_a_changed_object_is(self, s3: S3Server, fetcher: Fetcher) -> None:
        s3.put("models", "changing/model.bst", b"one")
        before = fetcher.fetch("s3://models/changing", env=s3.env())
        s3.put("models", "changing/model.bst", b"two, and longer")

        after = fetcher.fetch("s3://models/changing", env=s3.env())

        assert contents(before) == {"model.bst": b"one"}
        assert contents(after) == {"model.bst": b"two, and longer"}

    @pytest.mark.parametrize(
        ("uri", "change", "says"),
        [
            ("s3://nobucket/iris", {}, "HTTP 404 NoSuchBucket: The specified bucket does not exist"),
            ("s3://models/nope", {}, "no object 'nope' and none under 'nope/' in 'models'"),
            ("s3://models/iris/model", {}, "no object 'iris/model' and none under"),
            ("s3://models/empty", {}, "nothing is there"),
            (
                "s3://models/iris",
                {"SECRET_ACCESS_KEY": "a-wrong-secret"},
                "HTTP 403 SignatureDoesNotMatch: The request",
            ),
            ("s3://models/iris", {"ACCESS_KEY_ID": "NOBODYATALL"}, "HTTP 403 InvalidAccessKeyId: The Access Key Id"),
        ],
    )
    def test_a_failure_holds_the_uri_and_the_stores_words_and_no_secret(
        self, s3: S3Server, fetcher: Fetcher, uri: str, change: dict[str, str], says: str
    ) -> None:
        env = s3.env(**change)

        with pytest.raises(StorageError) as caught:
            fetcher.fetch(uri, env=env)

        assert f"{uri}: " in str(caught.value)
        assert says in str(caught.value)
        self.holds_no_secret(caught.value, env)

    def test_a_bucket_of_another_region_is_a_permanent_failure(self, s3: S3Server, fetcher: Fetcher) -> None:
        with file_server() as server:
            server.files["/models"] = Served(status=301)

            with pytest.raises(StorageError, match="incorrectly configured region"):
                fetcher.fetch("s3://models/iris", env=s3.env(ENDPOINT=server.url))

    def test_a_store_that_does_not_answer_is_unavailable(self, s3: S3Server, fetcher: Fetcher) -> None:
        env = s3.env(ENDPOINT="http://127.0.0.1:1")

        with pytest.raises(StorageUnavailable, match=r"127\.0\.0\.1:1: .*Connection refused") as caught:
            fetcher.fetch("s3://models/iris", env=env)
        self.holds_no_secret(caught.value, env)

    def holds_no_secret(self, error: FairleadError, env: dict[str, str]) -> None:
        for name in ("RCLONE_CONFIG_S3_SECRET_ACCESS_KEY", "RCLONE_CONFIG_S3_ACCESS_KEY_ID"):
            assert env[name] not in str(error)

    def test_no_secret_is_written_to_the_cache(self, s3: S3Server, fetcher: Fetcher, tmp_path: Path) -> None:
        fetcher.fetch("s3://models/iris", env=s3.env())

        for path in (tmp_path / "cache").rglob("*"):
            assert path.is_dir() or SECRET_KEY.encode() not in path.read_bytes()

    def test_who_may_not_read_the_original_gets_no_copy(self, s3: S3Server, fetcher: Fetcher) -> None:
        fetcher.fetch("s3://models/iris", env=s3.env())

        with pytest.raises(StorageError, match="HTTP 403"):
            fetcher.fetch("s3://models/iris", env=s3.env(SECRET_ACCESS_KEY="a-wrong-secret"))


class TestProgress:
    def test_progress_rises_to_the_total_in_small_steps(self, s3: S3Server, fetcher: Fetcher) -> None:
        heard: list[tuple[int, int]] = []

        fetcher.fetch("s3://models/iris", env=s3.env(), progress=lambda *now: heard.append(now))

        done = [now for now, _ in heard]
        assert done == sorted(done)
        assert {total for _, total in heard} == {len(MODEL) + 3}
        assert done[-1] == len(MODEL) + 3
        assert len(heard) >= 6

    def test_a_size_limit_stops_before_the_download(self, s3: S3Server, tmp_path: Path) -> None:
        fetcher = Fetcher(tmp_path / "cache", max_bytes=1000, patience=QUICK)

        with pytest.raises(StorageError, match=f"{len(MODEL) + 3} bytes are more than the limit of 1000 bytes"):
            fetcher.fetch("s3://models/iris", env=s3.env())

    def test_a_size_limit_stops_what_did_not_tell_its_size(self, tmp_path: Path) -> None:
        fetcher = Fetcher(tmp_path / "cache", max_bytes=1000, patience=QUICK)

        with file_server() as server:
            server.files["/model.bst"] = Served(MODEL, has_length=False)
            with pytest.raises(StorageError, match="larger than the limit of 1000 bytes"):
                fetcher.fetch(f"{server.url}/model.bst")


class TestStopping:
    def test_a_fetch_stops_when_asked_and_another_completes_it(self, s3: S3Server, fetcher: Fetcher) -> None:
        arrived = 0

        def note(done: int, total: int) -> None:
            nonlocal arrived
            arrived = done

        with pytest.raises(StorageUnavailable, match="was stopped; what has arrived is kept"):
            fetcher.fetch("s3://models/iris", env=s3.env(), progress=note, should_stop=lambda: arrived >= 300_000)
        # This server answers ranges with status 200, which counts as "from the beginning only".
        assert contents(fetcher.fetch("s3://models/iris", env=s3.env()))["model.joblib"] == MODEL

    def test_waiting_for_another_try_stops_too(self, fetcher: Fetcher, tmp_path: Path) -> None:
        patient = Fetcher(tmp_path / "cache", patience=Patience(first_pause_s=60))
        with file_server() as server:
            server.files["/model.bst"] = Served(failures=[503])

            with pytest.raises(StorageUnavailable, match="was stopped"):
                patient.fetch(f"{server.url}/model.bst", should_stop=lambda: bool(server.asked))


class TestTogether:
    def test_threads_that_want_the_same_model_download_it_once(self, tmp_path: Path) -> None:
        fetchers = [Fetcher(tmp_path / "cache", patience=QUICK) for _ in range(4)]
        all_there = threading.Barrier(4)

        with file_server() as server, ThreadPoolExecutor(4) as pool:
            server.files["/model.bst"] = Served(MODEL)

            def fetch(fetcher: Fetcher) -> Path:
                all_there.wait(20)
                return fetcher.fetch(f"{server.url}/model.bst")

            paths = set(pool.map(fetch, fetchers))

        assert len(paths) == 1
        assert contents(paths.pop()) == {"model.bst": MODEL}
        assert len(list((tmp_path / "cache" / "blobs").glob("*/*"))) == 1
        assert not list((tmp_path / "cache" / "partial").iterdir())

    def test_who_waits_shows_the_progress_of_who_downloads(self, tmp_path: Path) -> None:
        first, second = Fetcher(tmp_path / "cache", patience=QUICK), Fetcher(tmp_path / "cache", patience=QUICK)
        halfway, go_on = threading.Event(), threading.Event()
        waited: list[int] = []

        def pause(done: int, total: int) -> None:
            if done >= len(MODEL) // 2 and not halfway.is_set():
                halfway.set()
                assert go_on.wait(20)

        def listen(done: int, total: int) -> None:
            waited.append(done)
            go_on.set()

        with file_server() as server, ThreadPoolExecutor(1) as pool:
            server.files["/model.bst"] = Served(MODEL)
            downloading = pool.submit(first.fetch, f"{server.url}/model.bst", progress=pause)
            assert halfway.wait(20)
            path = second.fetch(f"{server.url}/model.bst", progress=listen)

        assert downloading.result() == path
        assert waited[0] >= len(MODEL) // 2 - 2**20
        assert waited[-1] == len(MODEL)

    @pytest.mark.slow
    def test_processes_that_want_the_same_model_agree(self, s3: S3Server, tmp_path: Path) -> None:
        processes = [_fetch_in_a_process(tmp_path / "cache", s3) for _ in range(3)]
        answers = [process.communicate(timeout=60) for process in processes]

        assert [process.returncode for process in processes] == [0, 0, 0], answers
        paths = {out.split()[-1] for out, _ in answers}
        assert len(paths) == 1
        assert contents(Path(paths.pop())) == {"model.joblib": MODEL, "sub/a#b%20c?.txt": b"odd"}


_FETCH = """
import json, sys
from pathlib import Path
from fairlead.storage import Fetcher
cache, uri, env = sys.argv[1:]
print(Fetcher(Path(cache)).fetch(uri, env=json.loads(env), progress=lambda done, total: print(done, flush=True)))
"""


def _fetch_in_a_process(cache: Path, s3: S3Server, uri: str = "s3://models/iris") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _FETCH, str(cache), uri, json.dumps(s3.env())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class TestFaults:
    @pytest.mark.slow
    def test_a_download_that_was_killed_goes_on_where_it_was(self, tmp_path: Path) -> None:
        with file_server() as server:
            uri = f"{server.url}/model.bst"
            never = threading.Event()
            server.files["/model.bst"] = Served(MODEL, cut_at=len(MODEL) // 2, cuts=1)
            stalled = Served(MODEL, before_body=lambda: never.wait(20))
            process = subprocess.Popen(
                [sys.executable, "-c", _FETCH, str(tmp_path / "cache"), uri, "{}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert process.stdout is not None
            for line in process.stdout:
                server.files["/model.bst"] = stalled  # the rest never comes, so the process is killed in the middle
                if int(line) >= len(MODEL) // 2:
                    break
            process.kill()
            process.communicate()
            never.set()
            server.files["/model.bst"] = Served(MODEL)
            server.asked.clear()

            fetched = Fetcher(tmp_path / "cache", patience=QUICK).fetch(uri)

            assert contents(fetched) == {"model.bst": MODEL}
            ranges = [asked.headers["Range"] for asked in server.asked if "Range" in asked.headers]
            assert ranges == [f"bytes={len(MODEL) // 2}-"]

    def test_a_damaged_copy_is_noticed_and_fetched_again(self, s3: S3Server, fetcher: Fetcher) -> None:
        fetched = fetcher.fetch("s3://models/iris", env=s3.env())
        damaged = fetched / "model.joblib"
        damaged.chmod(0o644)
        damaged.write_bytes(b"x" * len(MODEL))

        again = fetcher.fetch("s3://models/iris", env=s3.env())

        assert (again / "model.joblib").read_bytes() == MODEL

    def test_damage_that_hides_is_found_by_a_thorough_fetch(self, s3: S3Server, fetcher: Fetcher) -> None:
        fetched = fetcher.fetch("s3://models/iris", env=s3.env())
        damaged = fetched / "model.joblib"
        times = damaged.stat()
        damaged.chmod(0o644)
        damaged.write_bytes(b"x" * len(MODEL))
        os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))

        again = fetcher.fetch("s3://models/iris", env=s3.env(), thorough=True)

        assert (again / "model.joblib").read_bytes() == MODEL

    def test_a_partial_file_that_was_tampered_with_does_no_harm(self, s3: S3Server, fetcher: Fetcher) -> None:
        arrived = 0

        def note(done: int, total: int) -> None:
            nonlocal arrived
            arrived = done

        with pytest.raises(StorageUnavailable):
            fetcher.fetch("s3://models/iris", env=s3.env(), progress=note, should_stop=lambda: arrived >= 300_000)
        for partial in (fetcher.cache.root / "partial").iterdir():
            partial.write_bytes(b"z" * (len(MODEL) + 1))

        assert contents(fetcher.fetch("s3://models/iris", env=s3.env()))["model.joblib"] == MODEL

    @pytest.mark.slow
    def test_a_full_disk_is_said_clearly_and_leaves_nothing_half_done(self, tmp_path: Path) -> None:
        source = tmp_path / "model"
        source.mkdir()
        (source / "model.bst").write_bytes(MODEL)
        (source / "a-labels.txt").write_text("this one fits")
        script = """
import sys
from pathlib import Path
from fairlead.errors import StorageError
from fairlead.storage import Fetcher
folder, source = map(Path, sys.argv[1:])
fetcher = Fetcher(folder / "cache")
try:
    fetcher.fetch(str(source))
except StorageError as error:
    print(error)
left = [p for p in (folder / "cache").rglob("*") if p.is_file() and p.name != "lock"]
print("left:", left)
(source / "model.bst").write_bytes(b"small enough")
print((fetcher.fetch(str(source)) / "model.bst").read_bytes())
"""
        result = run_on_small_disk(tmp_path / "disk", script, str(tmp_path / "disk"), str(source))

        assert result.returncode == 0, result.stderr
        said, left, small = result.stdout.splitlines()
        assert f"the model cache {tmp_path / 'disk' / 'cache'} cannot hold the model: " in said
        assert "MiB free" in said
        assert (left, small) == ("left: []", "b'small enough'")

    def test_a_termination_signal_frees_the_locks(self, s3: S3Server, tmp_path: Path) -> None:
        process = _fetch_in_a_process(tmp_path / "cache", s3)
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()

        assert "model.joblib" in contents(
            Fetcher(tmp_path / "cache", patience=QUICK).fetch("s3://models/iris", env=s3.env())
        )
