"""The real kubectl, pointed at a server of a test."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_PEERS = Path(__file__).parents[2] / ".peers" / "kubectl"


def find_kubectl() -> Path:
    """On the PATH, or where `make test` puts peers; a machine without one is told how to get it."""
    found = shutil.which("kubectl") or next(
        (str(path) for path in sorted(_PEERS.rglob("kubectl")) if path.is_file()), ""
    )
    if not found:
        pytest.skip(
            "not run: no kubectl on this machine; `apt-get install kubernetes-client` gets it, "
            "or put one into .peers/kubectl"
        )
    return Path(found)


@dataclass
class Kubectl:
    """Runs commands; `cache` keeps discovery of one server apart from another's."""

    kubeconfig: Path
    cache: Path

    @property
    def minor(self) -> int:
        """20 for kubectl 1.20."""
        found = subprocess.run(
            [find_kubectl(), "version", "--client", "-o", "json"], capture_output=True, text=True, check=True
        )
        digits = re.match(r"\d+", json.loads(found.stdout)["clientVersion"]["minor"])
        assert digits is not None
        return int(digits.group())

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        """A command that goes on."""
        return await asyncio.create_subprocess_exec(
            find_kubectl(),
            f"--kubeconfig={self.kubeconfig}",
            f"--cache-dir={self.cache}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **environment},
        )

    async def run(self, *arguments: str, stdin: str = "", expect: int = 0, **environment: str) -> str:
        """A command's whole output, standard error after standard output; it must end with this code."""
        process = await self.start(*arguments, **environment)
        async with asyncio.timeout(60):
            out, err = await process.communicate(stdin.encode())
        text = out.decode() + err.decode()
        assert process.returncode == expect, f"kubectl {' '.join(arguments)} ended with {process.returncode}: {text}"
        return text

    async def json(self, *arguments: str) -> Any:
        """A command's output as JSON."""
        return json.loads(await self.run(*arguments, "-o", "json"))
