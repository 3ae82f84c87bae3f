"""`fairlead registry serve` with a cluster: what clients deploy goes there."""

from pathlib import Path

import pytest

from fairlead.cli.app import run
from support.cluster.apart import cluster_apart
from support.registry_server import registry_process

pytestmark = pytest.mark.slow


def test_what_clients_ask_for_is_made_in_the_cluster_of_the_kubeconfig(tmp_path: Path) -> None:
    content = {"type": "env", "items": [{"key": "TOKEN", "value": "v"}], "path": None, "stage": None}
    with cluster_apart() as apart, registry_process(tmp_path / "home", *apart.options(tmp_path)) as registry:
        registry.http.ok("POST", "/api/v1/org_secrets", {"name": "keys", "description": "", "content": content})

        assert apart.cluster.get("Secret", "keys")["data"] == {"TOKEN": "dg=="}


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--namespace", "team"], "say --deploys or --kubeconfig too"),
        (["--deploys"], "this is no pod of a cluster; say which cluster with --kubeconfig"),
    ],
)
def test_a_cluster_that_cannot_be_found_is_said_before_anything_is_served(
    flags: list[str],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert run(["registry", "serve", "--home", str(tmp_path / "home"), "--port", "0", *flags]) != 0
    assert told in capsys.readouterr().err
