"""`fairlead operator` as a process, against the API server double."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from fairlead.cli.app import run
from support.cluster import running_cluster
from support.operators import DEPLOYMENT, install, sdep, until


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--metrics-port=70000"], "--metrics-port 70000"),
        (["--workers=0"], "--workers"),
        (["--log-level=LOUD"], "LOUD"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["operator", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_outside_a_cluster_it_wants_to_be_told_which(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("fairlead.backends.kubernetes.operator.logs.configure", lambda *_, **__: None)

    assert run(["operator", f"--home={tmp_path}"]) == 1
    assert "--kubeconfig" in capsys.readouterr().err


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_it_works_until_a_signal_and_ends_well(tmp_path: Path, sign: signal.Signals) -> None:
    async with running_cluster() as cluster:
        await install(cluster)
        await cluster.create(sdep())
        command = [sys.executable, "-m", "fairlead.cli.app", "operator", "--log-format=json", "--host=127.0.0.1"]
        ports = ["--metrics-port=0", "--health-port=0"]
        process = await asyncio.create_subprocess_exec(
            *command,
            *ports,
            f"--kubeconfig={cluster.write_kubeconfig(tmp_path)}",
            "--leader-election-namespace=default",
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "FAIRLEAD_HOME": str(tmp_path)},
        )
        try:
            await until(lambda: cluster.find("Deployment", DEPLOYMENT), within_s=30)
            process.send_signal(sign)
            _, told = await asyncio.wait_for(process.communicate(), 20)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

        assert process.returncode == 0, told.decode()
        assert cluster.get("Lease", "operator.fairlead.dev")["spec"]["holderIdentity"] == ""
        assert b'"msg":"stopping"' in told
        assert b"Traceback" not in told
