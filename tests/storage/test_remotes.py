import pytest

from fairlead.errors import StorageError
from fairlead.storage.remotes import configured, partly_configured, remote_name, truth, unknown_remote


def test_options_go_to_the_remote_with_the_longest_matching_name() -> None:
    env = {
        "RCLONE_CONFIG_MY_TYPE": "s3",
        "RCLONE_CONFIG_MY_ENDPOINT": "http://one",
        "RCLONE_CONFIG_MY_STORE_TYPE": "s3",
        "RCLONE_CONFIG_MY_STORE_ENDPOINT": "http://two",
    }

    remotes = configured(env)

    assert {name: dict(remote.options) for name, remote in remotes.items()} == {
        "MY": {"ENDPOINT": "http://one"},
        "MY_STORE": {"ENDPOINT": "http://two"},
    }


def test_names_are_spelled_as_rclone_spells_them() -> None:
    assert remote_name("my-store") == "MY_STORE"


def test_a_remote_without_a_type_is_still_found_by_its_other_options() -> None:
    remote = partly_configured("GS", {"RCLONE_CONFIG_GS_ANONYMOUS": "false"})

    assert remote is not None
    assert (remote.type, remote.is_on("ANONYMOUS", default=True)) == ("", False)
    assert partly_configured("GS", {"RCLONE_CONFIG_S3_TYPE": "s3"}) is None


def test_an_unknown_remote_is_told_its_variable_and_the_ones_there_are() -> None:
    env = {"RCLONE_CONFIG_S3_TYPE": "s3", "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "hush-hush"}

    message = str(unknown_remote("minio://b/p", "minio", env))

    assert "RCLONE_CONFIG_MINIO_TYPE" in message
    assert "configured remotes: S3" in message
    assert "hush" not in message


@pytest.mark.parametrize("option", ["BEARER_TOKEN_COMMAND", "SSH", "PASSWORD_COMMAND"])
def test_options_that_run_programs_are_refused(option: str) -> None:
    env = {"RCLONE_CONFIG_DAV_TYPE": "webdav", f"RCLONE_CONFIG_DAV_{option}": "touch owned"}

    with pytest.raises(StorageError, match=f"RCLONE_CONFIG_DAV_{option}: refused") as caught:
        configured(env)
    assert "touch" not in str(caught.value)


def test_a_boolean_that_is_none_names_the_variable_only() -> None:
    assert truth("X", "True")
    assert not truth("X", "0")
    with pytest.raises(StorageError, match=r"^X must be true or false$"):
        truth("X", "hush")
