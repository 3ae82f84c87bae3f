"""Makes `.venv` from `uv.lock` on a machine that may have no pip, no venv and no uv.

Runs on the system's Python with the standard library alone. The installer (uv) is taken from PATH, else fetched
with pip, else fetched from the package index by hand and checked against the digest that the index publishes.
A stamp in `.venv` makes the next call a no-op while the lock, the project file and this file are the same.
"""

import hashlib
import html
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".fairlead-setup"
BOOTSTRAP = ROOT / ".bootstrap"
PYPI = "https://pypi.org/simple"
OLDEST_UV = (0, 8)
UV_RELEASES = ">=0.8,<1"


class SetupError(Exception):
    """Something a person has to change before the environment can be made."""


def main() -> int:
    try:
        _check_python()
        if _is_up_to_date():
            return 0
        _make_environment(_find_uv())
    except SetupError as problem:
        print(f"setup: {problem}", file=sys.stderr)
        return 1
    STAMP.write_text(_fingerprint())
    return 0


def _check_python() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what tells an older Python
        have = platform.python_version()
        raise SetupError(f"Python 3.11 or newer is needed, {sys.executable} is {have}; try `make PYTHON=python3.12 …`")


def _is_up_to_date() -> bool:
    made = VENV / "bin" / "fairlead"
    return made.exists() and STAMP.exists() and STAMP.read_text() == _fingerprint()


def _fingerprint() -> str:
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("uv.lock", "pyproject.toml", "tools/bootstrap.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _make_environment(uv: Path) -> None:
    print("setup: creating .venv (a few minutes the first time)", file=sys.stderr, flush=True)
    # Debian's trust store is where an organisation's own certificates are; uv's built-in list does not know them.
    # Bytecode costs ten seconds here and saves the first start, and every start where none may be written, a second.
    env = {"UV_SYSTEM_CERTS": "true", "UV_COMPILE_BYTECODE": "1", **os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    env.pop("VIRTUAL_ENV", None)
    env["UV_PROJECT_ENVIRONMENT"] = str(VENV)
    mirror = _index_url()
    if mirror == PYPI:
        _run([str(uv), "sync", "--locked", "--all-extras", "--python", sys.executable], env=env)
    else:
        _make_from_mirror(uv, env, mirror)


def _make_from_mirror(uv: Path, env: dict[str, str], mirror: str) -> None:
    """The lock names PyPI's own addresses; a mirror gets the same versions and digests as a requirements file."""
    BOOTSTRAP.mkdir(exist_ok=True)
    wanted = BOOTSTRAP / "requirements.txt"
    export = [str(uv), "export", "--frozen", "--all-extras", "--no-emit-project", "--quiet", "-o", str(wanted)]
    _run(export, env=env)
    target = ["--python", str(VENV / "bin" / "python"), "--default-index", mirror]
    _run([str(uv), "venv", "--allow-existing", "--python", sys.executable, str(VENV)], env=env)
    _run([str(uv), "pip", "sync", "--require-hashes", *target, str(wanted)], env=env)
    _run([str(uv), "pip", "install", "--no-deps", *target, "--editable", str(ROOT)], env=env)


def _run(command: Sequence[str], *, env: dict[str, str]) -> None:
    code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    if code:
        raise SetupError(f"`{' '.join(command)}` ended with {code}; the reason is above")


def _index_url() -> str:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if value := os.environ.get(name):
            return value.rstrip("/")
    return PYPI


def _find_uv() -> Path:
    ours = BOOTSTRAP / "bin" / "uv"
    for candidate in (shutil.which("uv"), str(ours)):
        if candidate and _is_usable(Path(candidate)):
            return Path(candidate)
    BOOTSTRAP.mkdir(exist_ok=True)
    print("setup: fetching uv, the installer", file=sys.stderr, flush=True)
    wheel = _fetch_with_pip() or _fetch_from_index()
    return _unpack(wheel, ours)


def _is_usable(uv: Path) -> bool:
    try:
        answer = subprocess.run([str(uv), "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.search(r"(\d+)\.(\d+)", answer.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST_UV


def _fetch_with_pip() -> Path | None:
    """pip first, because it knows the machine's own index, proxy and certificates. `None` when it cannot."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    download += ["--only-binary", ":all:", "--dest", str(BOOTSTRAP), f"uv{UV_RELEASES}"]
    if subprocess.run(download, capture_output=True, check=False).returncode:
        return None
    return max(BOOTSTRAP.glob("uv-*.whl"), key=lambda wheel: wheel.stat().st_mtime, default=None)


def _fetch_from_index() -> Path:
    page = f"{_index_url()}/uv/"
    links = re.findall(r'href="([^"]+)"', _read(page).decode())
    # Newest last: an index lists releases in order, and the platform tag is the machine's own.
    for link in reversed([html.unescape(link) for link in links]):
        address, _, digest = urllib.parse.urljoin(page, link).partition("#sha256=")
        name = urllib.parse.unquote(Path(urllib.parse.urlsplit(address).path).name)
        if digest and _fits(name):
            return _save(address, name, digest)
    raise SetupError(f"{page} has no uv for {platform.system()} on {platform.machine()}; install uv and try again")


def _fits(wheel: str) -> bool:
    if not re.fullmatch(r"uv-\d+\.\d+\.\d+-py3-none-.+\.whl", wheel) or wheel.startswith("uv-1"):
        return False
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
    if platform.system() == "Darwin":
        return "macosx" in wheel and ("arm64" if machine == "aarch64" else machine) in wheel
    libc = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    return libc in wheel and wheel.endswith(f"_{machine}.whl")


def _save(address: str, name: str, digest: str) -> Path:
    content = _read(address)
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise SetupError(f"{address}: sha256 is {found}, the index says {digest}")
    wheel = BOOTSTRAP / name
    wheel.write_bytes(content)
    return wheel


def _read(address: str) -> bytes:
    if urllib.parse.urlsplit(address).scheme not in ("https", "http"):
        raise SetupError(f"cannot read {address}: not an http(s) address")
    request = urllib.request.Request(address, headers={"Accept": "text/html"})  # noqa: S310 - checked above
    try:
        # The default context reads SSL_CERT_FILE, and the default opener the proxy variables.
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - checked above
            return bytes(answer.read())
    except OSError as problem:
        raise SetupError(f"cannot read {address}: {problem}") from problem


def _unpack(wheel: Path, target: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        inside = next(name for name in archive.namelist() if name.endswith("/scripts/uv"))
        content = archive.read(inside)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    target.chmod(target.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    wheel.unlink()
    return target


if __name__ == "__main__":
    sys.exit(main())
