"""Which versions rules have outlived."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from fairlead.registry.retention import outlived
from fairlead.registry.values import Kind, Label, Rules, UploadStatus, Version

DAY_S = 86_400.0
NOW = 100 * DAY_S


def _version(number: int) -> Version:
    """Made `number` days ago."""
    made = NOW - number * DAY_S
    return Version(
        uid=f"u{number}",
        created_at=made,
        updated_at=made,
        organization="o",
        kind=Kind.MODEL,
        repository="r",
        repository_name="iris",
        version=f"v{number}",
        build_at=made,
        upload_status=UploadStatus.SUCCESS,
    )


ALL = [_version(number) for number in range(5)]


def _gone(rules: Rules, kept: Collection[str] = (), versions: list[Version] = ALL) -> list[str]:
    return [version.version for version in outlived(versions, rules, kept=kept, now=NOW)]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Rules(), []),
        (Rules(keep_last=3), ["v3", "v4"]),
        (Rules(keep_last=0), ["v0", "v1", "v2", "v3", "v4"]),
        (Rules(keep_last=9), []),
        (Rules(max_age_days=2.5), ["v3", "v4"]),
        (Rules(keep_last=4, max_age_days=2.5), ["v3", "v4"]),
        (Rules(keep_last=1, max_age_days=90), ["v1", "v2", "v3", "v4"]),
    ],
)
def test_either_limit_is_enough(rules: Rules, expected: list[str]) -> None:
    assert _gone(rules) == expected


def test_what_something_keeps_stays() -> None:
    labelled = [replace(version, labels=(Label("stage", version.version),)) for version in ALL]
    rules = Rules(keep_last=1, keep_labelled=("stage=v2",))

    assert _gone(rules, kept=["u4"], versions=labelled) == ["v1", "v3"]
    assert _gone(replace(rules, keep_labelled=("stage",)), versions=labelled) == []


def test_what_is_not_complete_neither_goes_nor_counts() -> None:
    unfinished = [replace(ALL[0], upload_status=UploadStatus.UPLOADING), *ALL[1:]]

    assert _gone(Rules(keep_last=1), versions=unfinished) == ["v2", "v3", "v4"]


def test_what_is_immutable_stays() -> None:
    assert _gone(Rules(keep_last=0), versions=[replace(ALL[4], is_immutable=True)]) == []
