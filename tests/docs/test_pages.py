"""What a page tells people to type works: its blocks run in order, against an instance of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bench.ports import free_ports

from support.doc_pages import ROOT, Block, pages_with_commands, runnable

_PORTS = {"8080": "FAIRLEAD_PORT", "8081": "FAIRLEAD_GRPC_PORT", "8090": "FAIRLEAD_CONTROL_PORT"}


def script_of(blocks: list[Block], ports: dict[str, str]) -> str:
    """One shell for the whole page, so that a variable of one block is there in the next. Ports are the test's."""
    lines = ["set -euo pipefail"]
    for number, block in enumerate(blocks):
        if block.language == "bash":
            text = block.text
            for port, own in ports.items():
                text = text.replace(f"localhost:{port}", f"localhost:{own}")
            lines += [f"printf '\\n@@ {number}\\n'", text]
    return "\n".join(lines)


def outputs_of(output: str) -> dict[int, str]:
    parts = re.split(r"^@@ (\d+)\n", output, flags=re.MULTILINE)
    return {int(number): text for number, text in zip(parts[1::2], parts[2::2], strict=True)}


def check_outputs(blocks: list[Block], output: str) -> None:
    """Every line of a `text` block is printed by the shell block before it, in that order; `…` is anything."""
    printed, latest = outputs_of(output), ""
    for number, block in enumerate(blocks):
        if block.language == "bash":
            latest = printed.get(number, "")
            continue
        pattern = r"[\s\S]*?".join(
            "^" + ".*".join(map(re.escape, line.split("…"))) for line in block.text.splitlines() if line.strip()
        )
        assert re.search(pattern, latest, re.MULTILINE), f"line {block.line}: not printed: {block.text}\n{latest}"


@pytest.mark.slow
@pytest.mark.parametrize("page", list(pages_with_commands()), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    blocks = runnable(page)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for program in {program for block in blocks for program in block.needs}:
        if not shutil.which(program, path=path):
            pytest.skip(f"not run: {page.name}: no {program} here")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    ports = dict(zip(_PORTS, map(str, free_ports(len(_PORTS))), strict=True))
    env = {
        **os.environ,
        **{variable: ports[port] for port, variable in _PORTS.items()},
        "PATH": path,
        "HOME": str(tmp_path),
        "FAIRLEAD_HOME": str(tmp_path / "home"),
    }

    try:
        done = subprocess.run(
            ["bash", "-c", script_of(blocks, ports)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=110
        )
    finally:
        subprocess.run(["fairlead", "down"], env=env, capture_output=True, timeout=60)

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    check_outputs(blocks, done.stdout)
