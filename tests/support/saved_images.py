"""Images as builders save them, with a few packages in them: in Docker's form, and as an OCI layout."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

METADATA = (
    "Metadata-Version: 2.4\nName: Scikit_Learn\nVersion: 1.7.2\nLicense-Expression: BSD-3-Clause\n\nText.\nName: no\n"
)
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9
Description: a library
 of C

Package: gone
Status: deinstall ok config-files
Version: 1
"""
BASE = {
    "etc/os-release": 'ID="debian"\n',
    "var/lib/dpkg/status": STATUS,
    "opt/old-1.dist-info/METADATA": "Name: old\nVersion: 1\n",
}
ABOVE = {
    "opt/.wh.old-1.dist-info": "",
    "opt/lib/scikit_learn-1.7.2.dist-info/METADATA": METADATA,
    "opt/big.bin": "x" * 1000,
}


def layer(files: dict[str, str]) -> bytes:
    return packed({f"./{name}": text.encode() for name, text in files.items()})


def packed(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return held.getvalue()


def dockers(path: Path, *layers: bytes) -> Path:
    files = {f"{number}/layer.tar": content for number, content in enumerate(layers)}
    files["manifest.json"] = json.dumps([{"Config": "c.json", "Layers": list(files)}]).encode()
    path.write_bytes(packed(files))
    return path


def oci(path: Path, *layers: bytes) -> Path:
    files: dict[str, bytes] = {}

    def blob(content: bytes) -> dict[str, str]:
        digest = hashlib.sha256(content).hexdigest()
        files[f"blobs/sha256/{digest}"] = content
        return {"digest": f"sha256:{digest}"}

    manifest = json.dumps({"layers": [blob(gzip.compress(content)) for content in layers]}).encode()
    inner = json.dumps({"manifests": [blob(manifest)]}).encode()
    files["index.json"] = json.dumps({"manifests": [blob(inner)]}).encode()
    path.write_bytes(packed(files))
    return path
