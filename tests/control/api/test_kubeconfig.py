"""The kubeconfig: private, whole, and replaced at once."""

import base64
import stat
from pathlib import Path

import pytest
import yaml

from fairlead.control.api.kubeconfig import write_kubeconfig


def test_it_holds_the_address_the_token_and_the_authority_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("old")
    path.chmod(0o644)

    write_kubeconfig(path, "https://127.0.0.1:8090", "secret", "team", authority=b"PEM")

    config = yaml.safe_load(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert config["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:8090",
        "certificate-authority-data": base64.b64encode(b"PEM").decode(),
    }
    assert config["users"][0]["user"] == {"token": "secret"}
    assert config["contexts"][0]["context"]["namespace"] == "team"
    assert config["current-context"] == config["contexts"][0]["name"]


def test_over_https_there_is_always_a_token_so_that_kubectl_asks_for_no_password(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"

    write_kubeconfig(path, "https://127.0.0.1:8090", authority=b"PEM")
    over_tls = yaml.safe_load(path.read_text())
    write_kubeconfig(path, "http://127.0.0.1:8090")
    over_tcp = yaml.safe_load(path.read_text())

    assert over_tls["users"][0]["user"]["token"]
    assert over_tcp["users"][0]["user"] == {}


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("old")

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(yaml, "safe_dump", full)
    with pytest.raises(OSError, match="disk full"):
        write_kubeconfig(path, "http://127.0.0.1:8090")

    assert [entry.name for entry in tmp_path.iterdir()] == ["kubeconfig"]
    assert path.read_text() == "old"
