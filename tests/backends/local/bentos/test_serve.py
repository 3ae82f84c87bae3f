"""What stands between us and BentoML: the bento laid out anew, and the end of a worker that takes all with it.

BentoML itself is not here: a module of that name stands in, with children as `circus` has them.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fairlead.backends.local.bentos.serve import lay_out

SCRIPT = Path(__file__).parents[4] / "src/fairlead/backends/local/bentos/serve.py"
BENTOML = """
import os, subprocess, sys, time
import circus.watcher

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
watcher = circus.watcher.Watcher()
watcher.processes[child.pid] = child
print(child.pid, os.getcwd(), *sys.argv[1:], flush=True)
time.sleep(60)
"""
WATCHER = """
class Watcher:
    def __init__(self):
        self.processes = {}
    def status(self):
        return "active"
"""


def test_a_bento_is_laid_out_so_that_writing_changes_nothing_of_it(tmp_path: Path) -> None:
    bento, at = tmp_path / "bento", tmp_path / "at"
    (bento / "src" / "inner").mkdir(parents=True)
    (bento / "src" / "inner" / "data.txt").write_text("read")
    (bento / "models").mkdir()
    (bento / "bento.yaml").write_text("name: b")

    lay_out(bento, at)
    (at / "src" / "written").touch()
    (at / "src" / "inner" / "__pycache__").mkdir()

    assert (at / "src" / "inner" / "data.txt").read_text() == "read"
    assert (at / "bento.yaml").read_text() == "name: b"
    assert sorted(path.name for path in (bento / "src").rglob("*")) == ["data.txt", "inner"]


@pytest.mark.slow
def test_a_worker_that_is_killed_ends_its_server_which_says_so(tmp_path: Path) -> None:
    packages, bento = tmp_path / "packages", tmp_path / "bento"
    (packages / "circus").mkdir(parents=True)
    (packages / "circus" / "__init__.py").touch()
    (packages / "circus" / "watcher.py").write_text(WATCHER)
    (packages / "bentoml.py").write_text(BENTOML)
    bento.mkdir()
    argv = [sys.executable, str(SCRIPT), "--bento", str(bento), "--at", str(tmp_path / "at"), "--", "serve", "{bento}"]
    env = {**os.environ, "PYTHONPATH": str(packages)}
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, env=env, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        worker, folder, *words = process.stdout.readline().split()
        os.kill(int(worker), signal.SIGKILL)
        _, complaint = process.communicate(timeout=30)

    assert (folder, words) == (str(tmp_path / "at"), ["serve", str(tmp_path / "at")])
    assert process.returncode == 1
    assert complaint == "Error: a worker was killed by SIGKILL\n"
