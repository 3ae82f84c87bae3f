"""Builds a real Kubernetes from Debian's source packages, for checks that a double cannot make.

Two things come out. Bookworm's source of 1.20 has everything (API server, controllers, scheduler, kubelet, proxy): a
cluster of one node with real pods. Sid's library packages of 1.36 have the server of custom resources alone: what a
current API server says of our definitions and of applying, watching and converting them. Nothing is fetched but
Debian's own packages. Takes ten minutes on two cores, as root.
"""

import os
import shutil
import subprocess
import tarfile
import urllib.request
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
SOURCE = "kubernetes_1.20.5+really1.20.2.orig.tar.gz"
VERSION = ("1", "20", "v1.20.2")
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")
HOST_PACKAGES = (
    ("golang-go", "go"),
    ("etcd-server", "etcd"),
    ("docker.io", "dockerd"),
    ("conntrack", "conntrack"),
    ("busybox-static", "busybox"),
    ("iptables", "iptables"),
    ("debootstrap", "debootstrap"),
)
# What the source carries of this walks through maps as Go did before 1.18, and takes the API server down with it.
RENEWED = ("golang-github-modern-go-reflect2-dev", "github.com/modern-go/reflect2")


def build(folder: Path) -> None:
    """Make what is missing of `folder/bin`."""
    packages = [package for package, program in HOST_PACKAGES if shutil.which(program) is None]
    if packages:
        _run("apt-get", "install", "-y", "-q", "--no-install-recommends", *packages)
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    if not all((folder / "bin" / program).exists() for program in PROGRAMS):
        _build_cluster(folder)
    if not (folder / "bin" / "apiextensions-apiserver").exists():
        _build_definitions_server(folder)


def _build_cluster(folder: Path) -> None:
    tree = folder / "gopath" / "src" / "k8s.io" / "kubernetes"
    if not tree.exists():
        _unpack(folder, tree)
    env = {
        "GOPATH": str(folder / "gopath"),
        "GO111MODULE": "off",
        "GOCACHE": str(folder / "gocache"),
        "CGO_ENABLED": "0",
    }
    # The one generated file that the source package does not carry.
    _run(
        "go", "build", "-o", f"{folder}/openapi-gen", "./vendor/k8s.io/kube-openapi/cmd/openapi-gen", cwd=tree, env=env
    )
    (folder / "header.txt").write_text("")
    package = "k8s.io/kubernetes/pkg/generated/openapi"
    _run(
        *(f"{folder}/openapi-gen", "--output-file-base", "zz_generated.openapi", "--output-package", package),
        *("--go-header-file", f"{folder}/header.txt", "--output-base", f"{folder}/gopath/src"),
        *("--input-dirs", ",".join(_described(tree)), "--report-filename", f"{folder}/violations"),
        cwd=tree,
        env=env,
    )
    major, minor, version = VERSION
    said = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    flags = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in said.items())
    _run(
        "go",
        "build",
        "-ldflags",
        flags,
        "-o",
        f"{folder}/bin/",
        *(f"./cmd/{one}" for one in PROGRAMS),
        cwd=tree,
        env=env,
    )


def _unpack(folder: Path, tree: Path) -> None:
    packed, _ = urllib.request.urlretrieve(f"{MIRROR}/pool/main/k/kubernetes/{SOURCE}", folder / SOURCE)  # noqa: S310
    with tarfile.open(packed) as archive:
        archive.extractall(folder)  # noqa: S202 (Debian's own)
    tree.parent.mkdir(parents=True, exist_ok=True)
    (folder / "kubernetes-1.20.2").rename(tree)
    package, name = RENEWED
    _run("apt-get", "install", "-y", "-q", "--no-install-recommends", package)
    shutil.rmtree(tree / "vendor" / name)
    shutil.copytree(f"/usr/share/gocode/src/{name}", tree / "vendor" / name)
    # Another thing that Go has outgrown: since 1.16 an empty text compares as nothing there, and is refused as null.
    validator = tree / "vendor" / "k8s.io/kube-openapi/pkg/validation/validate/type.go"
    text = validator.read_text()
    outgrown = " || reflect.DeepEqual(reflect.Zero(reflect.TypeOf(data)), reflect.ValueOf(data))"
    assert outgrown in text, f"{validator} does not compare with nothing any more"
    validator.write_text(text.replace(outgrown, ""))


def _described(tree: Path) -> list[str]:
    """The packages whose types are part of the API's description."""
    found = set()
    for root in ("staging/src/k8s.io", "pkg"):
        for path in (tree / root).rglob("*.go"):
            if not path.name.endswith("_test.go") and b"+k8s:openapi-gen=true" in path.read_bytes():
                found.add(str(path.parent.relative_to(tree)))
    names = (one.removeprefix("staging/src/") for one in found if "sample" not in one and "code-generator" not in one)
    return sorted(f"k8s.io/kubernetes/{one}" if one.startswith("pkg/") else one for one in names)


def _build_definitions_server(folder: Path) -> None:
    root = folder / "sid"
    if not (root / "etc" / "debian_version").exists():
        _run("debootstrap", "--variant=minbase", "sid", str(root), MIRROR)
    (root / "etc/apt/apt.conf.d/99valid").write_text('Acquire::Check-Valid-Until "false";\n')
    _run("chroot", str(root), "apt-get", "update", "-q")
    wanted = ("golang-go", "golang-k8s-apiextensions-apiserver-dev")
    _run("chroot", str(root), "apt-get", "install", "-y", "-q", "--no-install-recommends", *wanted)
    _run("mount", "-t", "proc", "proc", str(root / "proc"))
    try:
        # Debian's go finds its own tree through /proc, or by being told.
        (tree,) = sorted((root / "usr/lib").glob("go-1.*"))[-1:]
        env = {"GOROOT": f"/usr/lib/{tree.name}", "GOPATH": "/usr/share/gocode", "GOCACHE": "/root/gocache"}
        said = [f"{name}={value}" for name, value in (env | {"GO111MODULE": "off", "CGO_ENABLED": "0"}).items()]
        out = "/usr/local/bin/apiextensions-apiserver"
        made = ("go", "build", "-o", out, "k8s.io/apiextensions-apiserver")
        _run("chroot", str(root), "env", "-i", "HOME=/root", "PATH=/usr/bin:/bin", *said, *made)
    finally:
        _run("umount", str(root / "proc"))
    shutil.copy(f"{root}{out}", folder / "bin")


def _run(*argv: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    subprocess.run(argv, cwd=cwd, env=os.environ | (env or {}), check=True)
