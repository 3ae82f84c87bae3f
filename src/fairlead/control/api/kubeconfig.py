"""The file that lets kubectl, and any Kubernetes client, find this API."""

import base64
import os
import tempfile
from pathlib import Path

import yaml

_NAME = "fairlead"
_NOT_ASKED_FOR = "not-asked-for"


def write_kubeconfig(
    path: Path,
    url: str,
    token: str | None = None,
    namespace: str = "default",
    *,
    authority: bytes = b"",
    tls_name: str = "",
) -> None:
    """Write it for its owner's eyes only, and at once: a reader sees the old file or the new one.

    `authority` is the PEM certificate to trust for an https `url`, and `tls_name` the name in it when that is not the
    host of the `url`. kubectl sends a token over https only; over plain
    http it leaves it out and is refused. Over https it asks its user for a name and a password unless it has a token,
    so that it gets one there which nobody reads.
    """
    known = token or (_NOT_ASKED_FOR if url.startswith("https://") else "")
    user = {"token": known} if known else {}
    cluster = {"server": url}
    if authority:
        cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
    if tls_name:
        cluster["tls-server-name"] = tls_name
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": cluster}],
        "users": [{"name": _NAME, "user": user}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME, "namespace": namespace}}],
        "current-context": _NAME,
    }
    # mkstemp makes the file readable by its owner only.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file, sort_keys=False)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
