"""What processes use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fairlead.backends.local.scaling.usage import UsageMeter, usage_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="not run: needs /proc")

_HOLD = "import sys; held = bytearray(b'x') * 60_000_000; print('held', flush=True); sys.stdin.read()"
_PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_HOLD!r}])"


@pytest.mark.slow
def test_the_processes_below_count_too() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        parent.stdout.readline()
        usage = usage_of([parent.pid])
        parent.stdin.close()

    assert usage is not None
    assert usage.memory_bytes > 60_000_000
    assert usage.cpu_s > 0


def test_nothing_is_known_of_a_process_that_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert usage_of([process.pid]) is None
    assert UsageMeter().cores_and_bytes("one", [process.pid], now=1.0) is None


def write_stat(proc: Path, pid: int, ticks: int) -> None:
    folder = proc / str(pid)
    (folder / "task" / str(pid)).mkdir(parents=True, exist_ok=True)
    (folder / "task" / str(pid) / "children").write_text("")
    fields = ["S", *(["0"] * 10), str(ticks), "0", "0", "0", *(["0"] * 6), "7", *(["0"] * 10)]
    (folder / "stat").write_text(f"{pid} (a (strange) name) {' '.join(fields)}\n")


def test_cores_are_seconds_of_processor_over_seconds(tmp_path: Path) -> None:
    meter, tick = UsageMeter(proc=tmp_path), os.sysconf("SC_CLK_TCK")
    write_stat(tmp_path, 10, 5 * tick)
    memory = 7 * os.sysconf("SC_PAGE_SIZE")
    assert meter.cores_and_bytes("one", [10], now=100.0) == (None, memory)

    write_stat(tmp_path, 10, 8 * tick)
    assert meter.cores_and_bytes("one", [10], now=102.0) == (1.5, memory)

    write_stat(tmp_path, 10, 1 * tick)  # a process that took its place
    assert meter.cores_and_bytes("one", [10], now=104.0) == (None, memory)


def test_shared_memory_counts_in_part(tmp_path: Path) -> None:
    write_stat(tmp_path, 10, 1)
    (tmp_path / "10" / "smaps_rollup").write_text("Rss:  900 kB\nPss:   300 kB\nPss_Dirty:  4 kB\n")
    usage = usage_of([10], proc=tmp_path)
    assert usage is not None
    assert usage.memory_bytes == 300 * 1024


def test_replicas_that_are_not_kept_begin_anew(tmp_path: Path) -> None:
    meter = UsageMeter(proc=tmp_path)
    write_stat(tmp_path, 10, 1)
    meter.cores_and_bytes("one", [10], now=1.0)
    meter.keep(["another"])
    used = meter.cores_and_bytes("one", [10], now=2.0)
    assert used is not None
    assert used[0] is None
