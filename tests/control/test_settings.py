"""Settings come from defaults, file, environment and flags, and every mistake names its place."""

from pathlib import Path

import pytest

from fairlead.control.settings import KEYS, Settings, defaults, is_loopback, load
from fairlead.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_a_later_source_wins_over_an_earlier_one(tmp_path: Path) -> None:
    path = write(tmp_path, "port = 1111\ngrpc_port = 2222\ncontrol_port = 3333\n")

    settings = load(
        path, environ={"FAIRLEAD_GRPC_PORT": "22", "FAIRLEAD_CONTROL_PORT": "33"}, flags={"control_port": 3}
    )

    assert (settings.port, settings.grpc_port, settings.control_port) == (1111, 22, 3)


def test_a_flag_that_was_not_given_changes_nothing(tmp_path: Path) -> None:
    assert load(write(tmp_path, "port = 1111"), flags={"port": None}).port == 1111


def test_a_file_that_nobody_asked_for_may_be_missing(tmp_path: Path) -> None:
    assert load(tmp_path / "config.toml").port == Settings().port


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"other\.toml: no such file"):
        load(tmp_path / "other.toml", is_required=True)


def test_an_unknown_key_names_file_line_and_the_nearest_key(tmp_path: Path) -> None:
    path = write(tmp_path, 'host = "localhost"\n\nprot = 8080\n')

    with pytest.raises(ConfigError) as caught:
        load(path)

    text = str(caught.value)
    assert f"{path}:3: prot: unknown key; did you mean port?" in text
    assert "control_port" in text


def test_an_unknown_key_in_a_table_lists_what_that_table_takes(tmp_path: Path) -> None:
    path = write(tmp_path, "[log]\nfiles = 2\nmax_size = 5\n")

    with pytest.raises(ConfigError, match=r":3: log\.max_size: unknown key; .*Accepted here: files, max_bytes"):
        load(path)


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, 'port = "many"\nnonsense = 1\n[log]\nfiles = 0\n'))

    text = str(caught.value)
    assert "port: must be a port number" in text
    assert "nonsense: unknown key" in text
    assert "log.files: must be a number, 1 or more" in text


def test_a_value_in_a_table_that_should_be_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":1: log: is a table; write \[log\]"):
        load(write(tmp_path, "log = 3"))


def test_text_that_is_not_toml_says_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml: not TOML: .*line 2"):
        load(write(tmp_path, "port = 1\nport = =\n"))


@pytest.mark.parametrize(
    ("written", "bytes_"), [("1024", 1024), ('"2k"', 2048), ('"10M"', 10 * 2**20), ('"1 GiB"', 2**30), ("0", 0)]
)
def test_sizes_are_bytes_or_take_a_unit(tmp_path: Path, written: str, bytes_: int) -> None:
    assert load(write(tmp_path, f"[cache]\nmax_bytes = {written}\n")).cache_max_bytes == bytes_


@pytest.mark.parametrize("written", ["-1", '"ten"', "true", '"10 parsecs"'])
def test_a_size_that_is_none_is_refused(tmp_path: Path, written: str) -> None:
    with pytest.raises(ConfigError, match=r"cache\.max_bytes: must be a size"):
        load(write(tmp_path, f"[cache]\nmax_bytes = {written}\n"))


def test_a_bad_variable_is_named_and_its_value_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, environ={"FAIRLEAD_PORT": "s3cret"})

    assert str(caught.value) == "FAIRLEAD_PORT: must be a port number, 0 to 65535"


def test_allowed_roots_must_be_absolute(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"storage\.allowed_roots: must be a list of absolute folders"):
        load(write(tmp_path, '[storage]\nallowed_roots = ["models"]\n'))


def test_allowed_roots_from_the_environment_are_a_search_path() -> None:
    settings = load(None, environ={"FAIRLEAD_STORAGE_ALLOWED_ROOTS": "/srv/models:/data"})

    assert settings.storage_allowed_roots == (Path("/srv/models"), Path("/data"))


def test_images_and_servers_are_handed_on_as_they_stand(tmp_path: Path) -> None:
    path = write(
        tmp_path, '[images."seldonio/fixed-model:0.1"]\nclass = "FixedModel"\n[servers.MY_SERVER]\nimage = "me/mine"\n'
    )

    settings = load(path)

    assert settings.catalog == {
        "images": {"seldonio/fixed-model:0.1": {"class": "FixedModel"}},
        "servers": {"MY_SERVER": {"image": "me/mine"}},
        "default_env_secret": "",
    }
    assert settings.base == tmp_path


def test_an_image_entry_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="images: must be tables"):
        load(write(tmp_path, '[images]\n"seldonio/fixed-model" = "FixedModel"\n'))


def test_a_host_that_others_can_reach_needs_a_token() -> None:
    with pytest.raises(ConfigError, match="a token is needed"):
        load(None, flags={"host": "0.0.0.0"})

    assert load(None, flags={"host": "0.0.0.0"}, environ={"FAIRLEAD_TOKEN": "t"}).is_open_to_network


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_alone_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    assert not load(None, flags={"host": host}).is_open_to_network


def test_a_token_is_not_in_the_settings_own_text() -> None:
    assert "hush" not in repr(load(None, environ={"FAIRLEAD_TOKEN": "hush"}))


def test_every_key_has_a_default() -> None:
    assert set(defaults()) == {key.name for key in KEYS}


def test_a_key_without_a_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tls_cert is not"):
        load(write(tmp_path, 'tls_key = "/etc/key.pem"'))
    with pytest.raises(ConfigError, match=r":1: tls_cert: must be the absolute path"):
        load(write(tmp_path, 'tls_cert = "cert.pem"'))

    assert load(write(tmp_path, 'tls_cert = "/etc/both.pem"')).tls_cert == Path("/etc/both.pem")
