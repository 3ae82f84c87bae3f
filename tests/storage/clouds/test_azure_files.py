from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.errors import StorageError
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.azure_files import KEY, Shares, shares

QUICK = Patience(attempts=3, first_pause_s=0.001, read_timeout_s=5)
WEIGHTS = bytes(range(256)) * 2048
FILES = {"models/iris/model.bst": WEIGHTS, "models/iris/a b/c.json": b"{}", "models/iris/z.txt": b"z"}
URI = "https://acme.file.core.windows.net/models/iris"


@pytest.fixture
def there() -> Iterator[Shares]:
    with shares() as there:
        there.files = dict(FILES)
        yield there


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", patience=QUICK)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("how", ["key", "sas", "token", "signed url"])
def test_a_folder_of_a_share_is_copied_with_each_credential(there: Shares, fetcher: Fetcher, how: str) -> None:
    env = {
        "key": {"AZURE_STORAGE_ACCESS_KEY": KEY},
        "sas": {"AZURE_STORAGE_SAS_TOKEN": f"?{there.sas}"},
        "token": {"AZURE_ACCESS_TOKEN": there.token},
        "signed url": {},
    }[how] | {"AZURE_STORAGE_FILE_ENDPOINT": there.url}

    fetched = fetcher.fetch(f"{URI}?{there.sas}" if how == "signed url" else URI, env=env)

    assert contents(fetched) == {path.removeprefix("models/iris/"): content for path, content in FILES.items()}


def test_one_file_is_copied_under_its_name(there: Shares, fetcher: Fetcher) -> None:
    env = {"AZURE_STORAGE_ACCESS_KEY": KEY, "AZURE_STORAGE_FILE_ENDPOINT": there.url}

    assert contents(fetcher.fetch(f"{URI}/model.bst", env=env)) == {"model.bst": WEIGHTS}


def test_a_broken_transfer_goes_on_where_it_was(there: Shares, fetcher: Fetcher) -> None:
    there.files = {"models/iris/model.bst": WEIGHTS}
    there.cut_at, there.cuts = 300_000, 1
    env = {"AZURE_STORAGE_ACCESS_KEY": KEY, "AZURE_STORAGE_FILE_ENDPOINT": there.url}

    assert contents(fetcher.fetch(URI, env=env)) == {"model.bst": WEIGHTS}
    assert int(there.asked[-1][1].removeprefix("bytes=").rstrip("-")) > 0


def test_who_has_no_credential_is_told_which_there_are(there: Shares, fetcher: Fetcher) -> None:
    with pytest.raises(StorageError, match=r"HTTP 403 AuthenticationFailed.*no Azure credentials are configured"):
        fetcher.fetch(URI, env={"AZURE_STORAGE_FILE_ENDPOINT": there.url})


def test_what_is_not_there_is_said(there: Shares, fetcher: Fetcher) -> None:
    env = {"AZURE_STORAGE_ACCESS_KEY": KEY, "AZURE_STORAGE_FILE_ENDPOINT": there.url}

    with pytest.raises(StorageError, match=r"No model found in https://acme\.file\.core\.windows\.net/models/iris/v9"):
        fetcher.fetch(f"{URI}/v9", env=env)


def test_a_key_that_is_no_key_is_refused_and_another_accounts_is_not_used(there: Shares, fetcher: Fetcher) -> None:
    env = {"AZURE_STORAGE_ACCESS_KEY": "not base64!", "AZURE_STORAGE_FILE_ENDPOINT": there.url}

    with pytest.raises(StorageError, match="AZURE_STORAGE_ACCESS_KEY is not base64"):
        fetcher.fetch(URI, env=env)
    with pytest.raises(StorageError, match="no Azure credentials are configured"):
        fetcher.fetch(URI, env=env | {"AZURE_STORAGE_ACCOUNT": "another"})
