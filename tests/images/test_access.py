"""Who we are to a registry, and what a builder is told of it."""

import base64
import json
from pathlib import Path

import pytest

from fairlead.errors import ConfigError
from fairlead.images.access import Access, access_of
from fairlead.images.builders.scratch import scratch
from fairlead.storage.oci.reference import parse

AUTH = base64.b64encode(b"robot:hush-hush").decode()
CONFIG = json.dumps({"auths": {"registry.example": {"auth": AUTH}}, "credsStore": "desktop", "currentContext": "far"})


def test_logins_come_from_dockers_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(CONFIG)

    access = access_of({"DOCKER_CONFIG": str(tmp_path)})

    assert access.login(parse("registry.example/a:1")).user == "robot"
    assert access.home == tmp_path
    assert "hush" not in repr(access)


def test_a_variable_comes_before_the_file_and_podmans_file_after(tmp_path: Path) -> None:
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers/auth.json").write_text(CONFIG)
    env = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}

    assert access_of(env).login(parse("registry.example/a:1")).user == "robot"
    assert access_of({**env, "DOCKER_AUTH_CONFIG": "{}"}).login(parse("registry.example/a:1")).user == ""


def test_a_program_that_keeps_the_login_is_named_where_there_is_none() -> None:
    kept = Access(config=json.dumps({"credHelpers": {"gcr.example": "gcloud"}, "credsStore": "desktop"}))

    assert kept.helper(parse("gcr.example/a:1")) == "docker-credential-gcloud"
    assert kept.helper(parse("registry.example/a:1")) == "docker-credential-desktop"
    assert Access(config=CONFIG).helper(parse("registry.example/a:1")) == ""


def test_a_builder_gets_the_logins_and_the_clients_contexts_but_no_programs(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(CONFIG)
    (tmp_path / "cli-plugins").mkdir()
    access = access_of({"DOCKER_CONFIG": str(tmp_path)})

    with scratch() as own:
        folder = own.docker_config(access)
        written = json.loads((folder / "config.json").read_text())
        mode = own.folder.stat().st_mode & 0o777
        assert (folder / "cli-plugins").is_dir()

    assert written == {"currentContext": "far", "auths": {"registry.example": {"auth": AUTH}}}
    assert mode == 0o700
    assert not own.folder.exists()


def test_this_machine_is_asked_without_tls_unless_an_authority_is_given() -> None:
    here = parse("127.0.0.1:5000/a:1")

    assert Access().is_plain(here)
    assert not Access(ca_pem="certificate").is_plain(here)
    assert not Access().is_plain(parse("registry.example/a:1"))
    assert Access(insecure=frozenset({"registry.example"})).is_plain(parse("registry.example/a:1"))


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")

    with pytest.raises(ConfigError, match="not JSON"):
        _ = access_of({"DOCKER_CONFIG": str(tmp_path)}).logins
    with pytest.raises(ConfigError, match="nowhere"):
        access_of({}, ca_file=tmp_path / "nowhere")
