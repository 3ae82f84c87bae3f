"""Ways to a cluster."""

from pathlib import Path

import pytest
import yaml

from fairlead.backends.kubernetes.operator.connecting import authorization, find_config
from fairlead.errors import ConfigError


def kubeconfig(folder: Path, user: object, context: str | None = "one") -> Path:
    config = {
        "current-context": context,
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return path


def test_no_cluster_is_found_by_accident(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, {"token": "x"})))

    with pytest.raises(ConfigError, match="--kubeconfig"):
        find_config(None, environ={})


def test_a_file_that_is_not_there_and_a_context_that_is_not_in_it_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing"):
        find_config(tmp_path / "missing")
    with pytest.raises(ConfigError):
        find_config(kubeconfig(tmp_path, {}), "another")


@pytest.mark.anyio
async def test_a_token_is_sent_and_a_file_with_one_is_read_each_time(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    config = find_config(kubeconfig(tmp_path, {"tokenFile": str(token)}))

    assert await authorization(config) == "Bearer first"
    token.write_text("second")
    assert await authorization(config) == "Bearer second"
    assert await authorization(find_config(kubeconfig(tmp_path, {"token": "t"}))) == "Bearer t"
    assert await authorization(find_config(kubeconfig(tmp_path, {}))) == ""


@pytest.mark.anyio
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_a_program_that_prints_a_token_is_asked(tmp_path: Path, version: str) -> None:
    program = tmp_path / "login"
    program.write_text('#!/bin/sh\necho \'{"status": {"token": "printed"}}\'\n')
    program.chmod(0o755)
    user = {"exec": {"apiVersion": f"client.authentication.k8s.io/{version}", "command": str(program)}}

    assert await authorization(find_config(kubeconfig(tmp_path, user))) == "Bearer printed"
