from pathlib import Path

import pytest

from fairlead.errors import StorageError
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from fairlead.storage.tuning import Tuning

OURS = Timeouts(connect_s=1, read_s=2)


def test_an_s3_transfer_takes_its_pace_from_its_variables() -> None:
    tuning = Tuning.read(
        {
            "S3_MAX_FILE_CONCURRENCY": "1000",
            "S3_CONNECT_TIMEOUT": "15",
            "S3_READ_TIMEOUT": "0.5",
            "S3_MAX_ATTEMPTS": "7",
        }
    )

    assert tuning.files_at_once == 64
    assert tuning.timeouts(OURS) == Timeouts(connect_s=15, read_s=0.5)
    assert tuning.patience(Patience()).attempts == 7


def test_without_variables_ours_hold() -> None:
    assert Tuning.read({}) == Tuning()
    assert Tuning().timeouts(OURS) == OURS
    assert Tuning().patience(Patience(attempts=3)).attempts == 3


@pytest.mark.parametrize("value", ["many", "0", "-1", "nan", "inf"])
def test_what_is_no_number_names_its_variable(tmp_path: Path, value: str) -> None:
    with pytest.raises(StorageError, match="S3_MAX_ATTEMPTS must be a positive number"):
        Fetcher(tmp_path / "cache").fetch("s3://bucket/model", env={"S3_MAX_ATTEMPTS": value})
