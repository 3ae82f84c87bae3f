"""A kubeconfig says where and who; what we do not do with one is refused by name."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.cli.kubeconfig import read
from fairlead.errors import ConfigError


def write(folder: Path, *, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> Path:
    document = {
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": "https://example.test:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "seldon"}},
            {"name": "there", "context": {"cluster": "gone", "user": "u"}},
        ],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_current_context_gives_server_namespace_and_token(tmp_path: Path) -> None:
    target = read(write(tmp_path, user={"token": "hush"}))

    assert (target.server, target.namespace, target.token) == ("https://example.test:6443", "seldon", "hush")
    assert "hush" not in repr(target)


def test_certificates_are_read_inline_and_from_files_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"authority")
    inline = base64.b64encode(b"certificate").decode()

    target = read(
        write(tmp_path, cluster={"certificate-authority": "ca.pem"}, user={"client-certificate-data": inline})
    )

    assert (target.ca, target.client_certificate) == (b"authority", b"certificate")


def test_a_token_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush\n")

    assert read(write(tmp_path, user={"tokenFile": "token"})).token == "hush"


@pytest.mark.parametrize("plugin", ["exec", "auth-provider"])
def test_a_sign_in_program_is_refused_with_a_way_out(tmp_path: Path, plugin: str) -> None:
    with pytest.raises(ConfigError, match=f"user 'u' signs in with an {plugin} plugin.*put a token there"):
        read(write(tmp_path, user={plugin: {"command": "cloud"}}))


def test_a_context_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no context named 'other'; it has: here, there"):
        read(write(tmp_path), context="other")


def test_a_context_whose_cluster_is_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no cluster named 'gone'; it has: c"):
        read(write(tmp_path), context="there")


@pytest.mark.parametrize(
    ("text", "why"), [("{", "cannot be read"), ("- 1", "not a kubeconfig"), ("a: 1", "no current-context")]
)
def test_what_is_no_kubeconfig_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)

    with pytest.raises(ConfigError, match=why):
        read(path)


def test_a_missing_certificate_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.pem: named by the kubeconfig"):
        read(write(tmp_path, cluster={"certificate-authority": "gone.pem"}))
