"""A real Docker daemon of the test's own: private socket, private data, one tiny image made from a static busybox."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

IMAGE = "fairlead-test/busybox:1"
_START_S = 30.0


def missing() -> str:
    """Why no daemon can run here; empty when one can."""
    if os.geteuid() != 0:
        return "a Docker daemon needs root"
    for program in ("dockerd", "docker", "busybox"):
        if shutil.which(program) is None:
            return f"{program} is not installed (apt install docker.io busybox-static)"
    return _not_static()


@contextlib.contextmanager
def docker_daemon(*flags: str) -> Iterator[str]:
    """Gives the address for DOCKER_HOST. `flags` are more of the daemon's own."""
    with tempfile.TemporaryDirectory(prefix="fl-docker-") as folder, Path(folder, "log").open("wb") as log:
        address = f"unix://{folder}/d.sock"
        argv = ["dockerd", "--host", address, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
        # Ports are published by Docker's own proxy; the machine's packet filter is none of a test's business.
        argv += ["--pidfile", f"{folder}/pid", "--iptables=false", "--ip6tables=false", *flags]
        daemon = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            _until_it_answers(daemon, address, Path(folder, "log"))
            _import_image(address, Path(folder))
            yield address
        finally:
            daemon.terminate()
            daemon.wait(30)
            _unmount(Path(folder, "exec", "netns"))


def docker(address: str, *arguments: str) -> str:
    """What the daemon answers."""
    done = subprocess.run(["docker", "--host", address, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _unmount(networks: Path) -> None:
    """The network of the host, which a daemon keeps mounted once a container has used it."""
    for path in networks.glob("*"):
        subprocess.run(["umount", str(path)], capture_output=True, check=False)


def _until_it_answers(daemon: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    with tempfile.TemporaryFile() as output:
        while daemon.poll() is None:
            asked = ["docker", "--host", address, "version", "--format", "{{.Server.Version}}"]
            if subprocess.run(asked, stdout=output, stderr=output, timeout=_START_S, check=False).returncode == 0:
                return
    raise RuntimeError(f"dockerd ended: {log.read_text()[-2000:]}")


def _import_image(address: str, folder: Path) -> None:
    root = folder / "root"
    for name in ("bin", "tmp", "www", "mnt"):
        (root / name).mkdir(parents=True)
    shutil.copy(_busybox(), root / "bin" / "busybox")
    (root / "bin" / "sh").symlink_to("busybox")
    packed = folder / "root.tar"
    subprocess.run(["tar", "-C", root, "-cf", packed, "."], check=True)
    docker(address, "import", str(packed), IMAGE)


def _busybox() -> str:
    return shutil.which("busybox") or ""


def _not_static() -> str:
    """`file` may be missing as well; the loader tells, too."""
    done = subprocess.run(["ldd", _busybox()], capture_output=True, check=False)
    is_static = b"not a dynamic executable" in done.stdout + done.stderr or b"statically linked" in done.stdout
    return "" if is_static else "busybox is not static (apt install busybox-static)"
