"""Gets what some checks need from the distribution: a real kubectl, browser, load generator and container engine.

As root on a Debian-like system missing ones are installed; otherwise, or when that fails, each is named with the
reason, and the tests that need it report themselves as not run. Never a reason for the tests not to start.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """A program some checks use: any of `programs` will do; `package` is Debian's name for one that has it."""

    what: str
    programs: tuple[str, ...]
    package: str

    @property
    def is_met(self) -> bool:
        return any(shutil.which(program) for program in self.programs)


NEEDS = (
    Need("checks with the real kubectl", ("kubectl",), "kubernetes-client"),
    Need("browser checks", ("chromium", "chromium-browser", "google-chrome"), "chromium"),
    Need("benchmarks", ("wrk",), "wrk"),
    Need("container checks", ("dockerd",), "docker.io"),
    Need("container checks", ("busybox",), "busybox-static"),
    Need("checks with a real container registry", ("docker-registry",), "docker-registry"),
    Need("checks that build images", ("buildah",), "buildah"),
    Need("checks with a real Prometheus", ("prometheus",), "prometheus"),
)


def main() -> int:
    missing = [need for need in NEEDS if not need.is_met]
    why = _install([need.package for need in missing]) if missing else ""
    for need in missing:
        if not need.is_met:
            print(f"not run: {need.what}: no {' or '.join(need.programs)} ({need.package}): {why}", file=sys.stderr)
    return 0


def _install(packages: list[str]) -> str:
    """Install what can be installed; the returned text is the reason for what could not."""
    if os.geteuid() != 0:
        return f"not root; `apt-get install {' '.join(packages)}` gets it"
    if not shutil.which("apt-get"):
        return "no apt-get here"
    why = _apt("update")
    for package in packages:
        # One at a time, so that a package this release does not have takes nothing else with it.
        why = _apt("install", "--yes", "--no-install-recommends", package) or why
    return why or "installed, but not on PATH"


def _apt(*arguments: str) -> str:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=3", *arguments]
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    last = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
    return f"apt-get {arguments[0]} failed: {last}"


if __name__ == "__main__":
    sys.exit(main())
