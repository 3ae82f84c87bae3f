"""What KServe's controller accepts as a storageUri, in its own words, and where several of them lie together.

Only the form is checked: whether something is there, and may be read, is found out when it is fetched.
"""

import posixpath
from collections.abc import Sequence

_PREFIXES = (
    "gs://", "s3://", "pvc://", "file://", "https://", "http://", "hdfs://", "webhdfs://", "oci://", "oci+native://",
    "oci+fetch://", "hf://",
)  # fmt: skip
# The first names the mode that oci:// means by default: the controller's list leaves it out, its injector knows it. The
# second is our registry's.
_ALSO = ("oci+modelcar://", "fairlead://")
_MOUNT = "/mnt/models"


def supported_scheme(uri: str) -> bool:
    """Whether the controller takes a storageUri: a known scheme, or a path (anything without `://`)."""
    return "://" not in uri or uri.startswith((*_PREFIXES, *_ALSO))


def unsupported(uri: str) -> str:
    """What the controller says of a storageUri that it does not take."""
    return (
        f"StorageURI not supported: storageUri, must be one of: [{', '.join(_PREFIXES)}] or match "
        "https://{}.blob.core.windows.net/{}/{} or be an absolute or relative local path. "
        f"StorageUri [{uri}] is not supported"
    )


def is_mounted_already(uri: str) -> bool:
    """Whether a storageUri names the place where models are mounted: the image brings its own, nothing is fetched."""
    return uri == _MOUNT or uri.startswith(f"{_MOUNT}/")


def common_parent(mounts: Sequence[str]) -> str:
    """The folder that several mount paths share; `/` when they share none, which is refused elsewhere."""
    return posixpath.commonpath([posixpath.normpath(mount) for mount in mounts])
