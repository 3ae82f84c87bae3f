import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.errors import Forbidden, StorageError, StorageUnavailable
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.hugging_face import Hub, hugging_face

pytest.importorskip("huggingface_hub", reason="not run: huggingface_hub is not installed")

QUICK = Patience(attempts=3, first_pause_s=0.001, read_timeout_s=5)
WEIGHTS = bytes(range(256)) * 4096
FILES = {"config.json": b'{"model_type": "tiny"}', "onnx/model.safetensors": WEIGHTS}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hugging_face() as hub, hugging_face() as cdn:
        hub.cdn = cdn
        hub.put("acme/tiny", FILES)
        yield hub


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", patience=QUICK)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_repository_is_fetched_whole(hub: Hub, fetcher: Fetcher) -> None:
    assert contents(fetcher.fetch("hf://acme/tiny", env={"HF_ENDPOINT": hub.url})) == FILES


def test_a_revision_is_fetched_by_its_name(hub: Hub, fetcher: Fetcher) -> None:
    hub.put("acme/tiny", {"config.json": b"{}"}, revision="v1")

    assert contents(fetcher.fetch("hf://acme/tiny:v1", env={"HF_ENDPOINT": hub.url})) == {"config.json": b"{}"}


def test_only_what_has_changed_is_fetched_again(hub: Hub, fetcher: Fetcher) -> None:
    env = {"HF_ENDPOINT": hub.url}
    first = fetcher.fetch("hf://acme/tiny", env=env)
    assert fetcher.fetch("hf://acme/tiny", env=env) == first
    before = len(hub.downloads)
    hub.put("acme/tiny", FILES | {"config.json": b"{}"})

    assert contents(fetcher.fetch("hf://acme/tiny", env=env))["config.json"] == b"{}"
    assert [path.rpartition("/")[2] for path in hub.downloads[before:]] == ["config.json"]


def test_the_token_goes_to_the_hub_and_not_to_where_large_files_lie(hub: Hub, fetcher: Fetcher) -> None:
    hub.private.add("acme/tiny")
    fetched = fetcher.fetch("hf://acme/tiny", env={"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token})

    assert hub.cdn is not None
    assert contents(fetched) == FILES
    assert {headers.get("authorization") for _, headers in hub.asked} == {f"Bearer {hub.token}"}
    assert [headers.get("authorization") for _, headers in hub.cdn.asked] == [None]


def test_the_owners_token_does_not_go_to_a_hub_that_a_secret_chose(hub: Hub, tmp_path: Path) -> None:
    fetcher = Fetcher(tmp_path / "cache", defaults={"HF_TOKEN": "hf_the-owners-own"}, patience=QUICK)
    fetcher.fetch("hf://acme/tiny", env={"HF_ENDPOINT": hub.url})

    assert {headers.get("authorization") for _, headers in hub.asked} == {None}


def test_a_broken_download_goes_on_where_it_was(hub: Hub, fetcher: Fetcher) -> None:
    assert hub.cdn is not None
    hub.cdn.cut_at, hub.cdn.cuts = 400_000, 2

    assert contents(fetcher.fetch("hf://acme/tiny", env={"HF_ENDPOINT": hub.url})) == FILES
    ranges = [int(headers.get("range", "bytes=0-")[6:-1]) for _, headers in hub.cdn.asked]
    assert ranges == sorted(ranges)
    assert ranges[-1] > 0


def test_what_arrives_damaged_is_never_used(hub: Hub, fetcher: Fetcher) -> None:
    assert hub.cdn is not None
    hub.cdn.blobs[hashlib.sha256(WEIGHTS).hexdigest()] = WEIGHTS[:-1] + b"?"

    with pytest.raises(StorageUnavailable, match="what arrived is damaged"):
        fetcher.fetch("hf://acme/tiny", env={"HF_ENDPOINT": hub.url})


@pytest.mark.parametrize("uri", ["hf://acme/none", "hf://acme/tiny:v9"])
def test_what_is_not_there_is_said_with_the_hubs_words(hub: Hub, fetcher: Fetcher, uri: str) -> None:
    with pytest.raises(StorageError, match=f"{uri}: {hub.url}: .*no HF_TOKEN is configured"):
        fetcher.fetch(uri, env={"HF_ENDPOINT": hub.url})


def test_a_refused_token_is_not_shown(hub: Hub, fetcher: Fetcher) -> None:
    hub.private.add("acme/tiny")

    with pytest.raises(StorageError, match="the HF_TOKEN that was sent may not read it") as caught:
        fetcher.fetch("hf://acme/tiny", env={"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_another-secret"})
    assert "another-secret" not in str(caught.value)


def test_where_a_small_file_is_redirected_must_be_allowed(hub: Hub, tmp_path: Path) -> None:
    hub.large_bytes = 10**9
    fetcher = Fetcher(tmp_path / "cache", allowed_sources=[f"{hub.url}/acme/*"], patience=QUICK)
    assert contents(fetcher.fetch("hf://acme/tiny", env={"HF_ENDPOINT": hub.url})) == FILES
    hub.put("acme/tiny", {"config.json": b"{ }"})
    hub.redirect_small = True

    with pytest.raises(Forbidden, match="models from there are not allowed"):
        fetcher.fetch("hf://acme/tiny", env={"HF_ENDPOINT": hub.url})
    assert hub.cdn is not None
    assert hub.cdn.asked == []


def test_a_hub_that_sends_nothing_is_not_waited_for_longer_than_agreed(hub: Hub, tmp_path: Path) -> None:
    enough = threading.Event()
    hub.large_bytes, hub.before_body = 10**9, lambda: enough.wait(20)
    hub.put("acme/tiny", FILES)
    fetcher = Fetcher(tmp_path / "cache", patience=Patience(attempts=1, read_timeout_s=0.2))

    with pytest.raises(StorageUnavailable, match=f"hf://acme/tiny: {hub.url}: "):
        fetcher.fetch("hf://acme/tiny", env={"HF_ENDPOINT": hub.url})
    enough.set()


def test_a_busy_hub_is_asked_again(hub: Hub, fetcher: Fetcher) -> None:
    hub.failures = [503]

    assert contents(fetcher.fetch("hf://acme/tiny", env={"HF_ENDPOINT": hub.url})) == FILES


def test_patterns_choose_files_of_a_repository(hub: Hub, fetcher: Fetcher) -> None:
    env = {"HF_ENDPOINT": hub.url, "STORAGE_ALLOW_PATTERNS": "*.json"}

    assert list(contents(fetcher.fetch("hf://acme/tiny", env=env))) == ["config.json"]


@pytest.mark.parametrize("endpoint", ["huggingface.co", "ftp://hub"])
def test_an_endpoint_that_is_no_url_is_refused(fetcher: Fetcher, endpoint: str) -> None:
    with pytest.raises(StorageError, match="HF_ENDPOINT must be a URL"):
        fetcher.check("hf://acme/tiny", env={"HF_ENDPOINT": endpoint})
