"""The project's image, built by its own Dockerfile on a base that is made here from Debian's packages, and pods of its
containers: one network, shared volumes, and a root that nobody can write to."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from support.docker_engine import docker
from support.docker_engine import missing as no_docker

ROOT = Path(__file__).parents[2]
BASE, IMAGE = "fairlead-test/base:1", "fairlead-test/fairlead:1"
EXTRAS = "sklearn,kubernetes"
_RELEASE = "bookworm"
_MIRROR = "http://deb.debian.org/debian"
_PACKAGES = "python3,python3-venv,ca-certificates,libgomp1"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairlead-tests"
"""The base is the same in every checkout, and takes a minute to make."""

_ASK = """
import sys, urllib.error, urllib.request
url, body, headers = sys.argv[1], sys.argv[2].encode() or None, dict(one.split("=", 1) for one in sys.argv[3:])
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30)
except urllib.error.HTTPError as error:
    answer = error
except OSError:
    print(0)
    raise SystemExit
print(answer.status, answer.read().decode())
"""


def missing() -> str:
    """Why no image can be built here; empty when one can."""
    if shutil.which("debootstrap") is None and not _base().exists():
        return "debootstrap is not installed (apt install debootstrap)"
    return no_docker()


def build_image(address: str) -> None:
    """Make the base, if nobody has, and the image."""
    base = _base()
    if not base.exists():
        _make_base(base)
    docker(address, "import", str(base), BASE)
    given = {"BASE": BASE, "PACKAGES": "", "EXTRAS": EXTRAS, "REVISION": "tested"}
    flags = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
    docker(address, "build", "--network=host", "--quiet", *flags, "--tag", IMAGE, str(ROOT))


def _base() -> Path:
    """Where the base is, by what goes into it."""
    trusted = _CERTIFICATES.read_bytes() if _CERTIFICATES.exists() else b""
    digest = hashlib.sha256(f"{_RELEASE} {_PACKAGES} ".encode() + trusted).hexdigest()
    return _CACHE / f"image-base-{digest[:16]}.tar"


def _make_base(base: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="fl-base-", dir="/var/tmp") as folder:
        root = Path(folder, "root")
        made = ("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _RELEASE, str(root), _MIRROR)
        subprocess.run(made, check=True, capture_output=True)
        if _CERTIFICATES.exists():  # where this machine trusts more than Debian does, so do builds on it
            shutil.copy(_CERTIFICATES, root / _CERTIFICATES.relative_to("/"))
        base.parent.mkdir(parents=True, exist_ok=True)
        unfinished = base.with_suffix(f".{uuid.uuid4().hex[:8]}")
        left_out = ("--exclude=./dev", "--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*")
        subprocess.run(("tar", "-C", str(root), *left_out, "-cf", str(unfinished), "."), check=True)
        unfinished.rename(base)


class Pod:
    """Containers that share a network of their own, which nothing leads out of."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._name = f"pod-{uuid.uuid4().hex[:8]}"
        self._names = [self._name]
        docker(address, "run", "--detach", "--name", self._name, "--network=none", "--entrypoint=sleep", IMAGE, "3600")

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        mounts: Mapping[Path, str] | None = None,
        image: str = IMAGE,
    ) -> str:
        """Start a container; its name."""
        name = f"{self._name}-{len(self._names)}"
        self._names.append(name)
        docker(self._address, "run", "--detach", "--name", name, *self._flags(env, mounts), image, *arguments)
        return name

    def run_to_end(self, *arguments: str, mounts: Mapping[Path, str] | None = None) -> tuple[int, str]:
        """Run a container to its end: its exit code and what it wrote."""
        name = self.run(*arguments, mounts=mounts)
        return int(docker(self._address, "wait", name)), self.log(name)

    def ask(self, url: str, value: Any = None, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """A request from inside of the pod; the status is 0 when nobody answers."""
        body = "" if value is None else json.dumps(value)
        words = [f"{name}={text}" for name, text in {"Content-Type": "application/json", **(headers or {})}.items()]
        said = docker(self._address, "exec", self._name, "python3", "-c", _ASK, url, body, *words)
        status, _, text = said.partition(" ")
        return int(status), text

    def log(self, name: str) -> str:
        """What a container wrote."""
        asked = ["docker", "--host", self._address, "logs", name]
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def stop(self, name: str, *, within_s: int) -> int:
        """SIGTERM; the exit code, 137 for one that had to be killed."""
        docker(self._address, "stop", "--time", str(within_s), name)
        return int(docker(self._address, "inspect", "--format", "{{.State.ExitCode}}", name))

    def remove(self) -> None:
        """Everything of it."""
        docker(self._address, "rm", "--force", *self._names)

    def _flags(self, env: Mapping[str, str] | None, mounts: Mapping[Path, str] | None) -> list[str]:
        confined = ["--read-only", "--tmpfs=/tmp:rw,mode=1777", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
        variables = [f"--env={name}={value}" for name, value in (env or {}).items()]
        volumes = [f"--volume={folder}:{place}" for folder, place in (mounts or {}).items()]
        return [f"--network=container:{self._name}", *confined, *variables, *volumes]


@contextlib.contextmanager
def pod_of(address: str) -> Iterator[Pod]:
    """A pod until the block ends."""
    pod = Pod(address)
    try:
        yield pod
    finally:
        pod.remove()
