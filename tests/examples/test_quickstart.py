"""`make run`: the quick start from training to the answer, and its end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bench.ports import free_ports

from support.doc_pages import ROOT
from support.instance import lives, until
from support.package_index import package_index

pytestmark = pytest.mark.slow

SCRIPT = ROOT / "examples" / "quickstart" / "quickstart.py"


def start(folder: Path, **env: str) -> "subprocess.Popen[str]":
    port, grpc, control = map(str, free_ports(3))
    ports = {"FAIRLEAD_PORT": port, "FAIRLEAD_GRPC_PORT": grpc, "FAIRLEAD_CONTROL_PORT": control}
    command = [sys.executable, str(SCRIPT), str(folder)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **ports, **env})


def test_once_it_trains_serves_asks_and_ends(tmp_path: Path) -> None:
    with start(tmp_path / "place", ONCE="1") as process:
        said, complaint = process.communicate(timeout=110)

    assert process.returncode == 0, said + complaint
    assert "seldondeployment/iris-model Available" in said
    assert "inferenceservice/sklearn-iris Ready" in said
    assert 'd \'{"data":{"ndarray":[[1,2,3,4]]}}\'' in said
    assert '  {"predictions":[1]}' in said
    assert '{"data":{"names":["t:0","t:1","t:2"],"ndarray":[[' in said
    assert "/seldon/seldon/iris-model/api/v1.0/doc/" in said
    assert not (tmp_path / "place" / "home" / "instance.json").exists()


@pytest.mark.usefixtures(package_index.__name__)
def test_a_bento_is_served_too(tmp_path: Path) -> None:
    with start(tmp_path / "place", ONCE="1", BENTO="1") as process:
        said, complaint = process.communicate(timeout=200)

    assert process.returncode == 0, said + complaint
    assert "bentodeployment/iris-classifier Ready" in said
    assert '["virginica"]' in said


def children(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        found += [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return found


def test_it_serves_until_it_is_interrupted_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with start(tmp_path / "place", BENTO="0") as process:
        assert process.stdout is not None
        said = ""
        while "Serving until Ctrl-C." not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        family = children(process.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 0
    assert len(family) > 5
    until(lambda: not any(lives(pid) for pid in family), timeout_s=40, what="the end of every process")
