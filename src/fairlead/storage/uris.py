"""Where a model is said to be: every form of URI that manifests use, read into four plain values.

A remote may be written the way rclone writes it (`s3:bucket/path`) or with slashes (`s3://bucket/path`). Parsing is
pure: it knows no credentials, touches no disk, and does not say whether the thing exists.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import SplitResult, unquote, urlsplit

from fairlead.errors import StorageError

ACCEPTED = (
    "gs://bucket/path, s3://bucket/path, az://container/path, https://host/file, https://host/repository.git, "
    "hf://owner/model[:revision], oci://registry/image[:tag], fairlead://model[:tag], hdfs://path, webhdfs://path, "
    "file:///path, a plain path, pvc://claim/path, or remote:path of an rclone remote"
)

_SCHEME = re.compile(r"([A-Za-z0-9_][\w.+-]*):(.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ALIASES = {"gcs": "gs", "s3a": "s3", "s3n": "s3"}
_AZURE_FILESYSTEMS = frozenset({"abfs", "abfss", "wasb", "wasbs"})
_FILES_HOST = re.compile(r"([a-z0-9]+)\.file\.(core\.windows\.net|core\.chinacloudapi\.cn|core\.usgovcloudapi\.net)")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(:[^\s:]+)?", re.ASCII)
_BLOB_HOST = re.compile(r"([a-z0-9]+)\.blob\.(core\.windows\.net|core\.chinacloudapi\.cn|core\.usgovcloudapi\.net)")
_LATER = {"modelscope": "ModelScope repositories"}
# BentoML's rule for the parts of a tag, which are lower-cased like there.
_TAG_PART = r"[a-z0-9](?:[-._a-z0-9]{0,61}[a-z0-9])?"
_REGISTERED = re.compile(rf"(?:(models|bentos)/)?({_TAG_PART})(?::({_TAG_PART}))?")
_IMAGES = frozenset({"oci", "oci+native", "oci+fetch", "oci+modelcar"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteUri:
    """A path on a remote of that name. `account` and `query` come with Azure's own URLs only."""

    remote: str
    path: str
    account: str = ""
    host: str = ""
    query: str = ""

    @property
    def bucket(self) -> str:
        """The first segment, which object stores call bucket or container."""
        return self.path.strip("/").partition("/")[0]

    @property
    def key(self) -> str:
        """What follows the bucket, without slashes around it. Empty means the whole bucket."""
        return self.path.strip("/").partition("/")[2]

    def __str__(self) -> str:
        return (
            f"{self.remote}://{self.path.lstrip('/')}"
            if not self.path.startswith("/")
            else f"{self.remote}:{self.path}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpUri:
    """One file behind an http or https URL. The URL may hold a signature or a password: see `display`."""

    url: str

    def __str__(self) -> str:
        return without_secrets(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileUri:
    """A folder or file of this machine, as written: absolute, or relative to a folder the caller knows."""

    path: PurePosixPath

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimUri:
    """A path inside a PersistentVolumeClaim of the same namespace."""

    claim: str
    path: str

    def __str__(self) -> str:
        return f"pvc://{self.claim}/{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubUri:
    """A repository of the Hugging Face Hub: `owner/model`. An empty revision is the default branch."""

    repository: str
    revision: str = ""

    def __str__(self) -> str:
        return f"hf://{self.repository}" + (f":{self.revision}" if self.revision else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitUri:
    """A git repository by its URL, which holds no login."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class OciUri:
    """An image or artifact of a registry, as written behind `oci://`."""

    reference: str

    def __str__(self) -> str:
        return f"oci://{self.reference}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HdfsUri:
    """A path of the Hadoop file system whose namenode the Secret names."""

    scheme: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareUri:
    """A folder or file of an Azure file share: the share's name comes first in `path`."""

    account: str
    host: str
    path: str
    query: str = ""

    def __str__(self) -> str:
        return f"https://{self.host}/{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryUri:
    """A model or bento of Fairlead's registry. An empty tag is the newest version."""

    name: str
    tag: str = ""
    is_bento: bool = False

    def __str__(self) -> str:
        return f"fairlead://{'bentos/' if self.is_bento else ''}{self.name}" + (f":{self.tag}" if self.tag else "")


ModelUri = RemoteUri | HttpUri | FileUri | ClaimUri | HubUri | GitUri | OciUri | HdfsUri | ShareUri | RegistryUri


def parse(uri: str) -> ModelUri:
    """Read one URI. Raises StorageError with the accepted forms when it is none of them."""
    text = uri.strip()
    if not text:
        raise StorageError(f"the model URI is empty; accepted: {ACCEPTED}")
    if _CONTROL.search(text):
        raise StorageError(f"{without_secrets(text)!r} holds control characters; accepted: {ACCEPTED}")
    if text.startswith(":"):
        raise StorageError(
            f"{text.split('/')[0]!r}: a remote defined inside the URI is not accepted; "
            "define it with RCLONE_CONFIG_<REMOTE>_TYPE in the Secret and write <remote>:<path>"
        )
    if not (match := _SCHEME.fullmatch(text)):
        return _path(text)
    scheme, rest = match[1], match[2]
    if scheme.lower() in ("http", "https"):
        return _web(scheme.lower(), rest)
    if scheme.lower() == "file":
        return _file(text, rest)
    if scheme.lower() == "pvc":
        return _claim(text, rest)
    if scheme.lower() == "hf":
        return _hub(text, rest)
    if scheme.lower() in _IMAGES:
        return _image(text, rest)
    if scheme.lower() == "fairlead":
        return _registered(text, rest)
    if scheme.lower() in ("hdfs", "webhdfs") and rest.startswith("//"):
        return HdfsUri(scheme=scheme.lower(), path=_plain_segments(text, rest))
    if what := _LATER.get(scheme.lower()):
        raise StorageError(f"{without_secrets(text)}: {what} cannot be used as a source; accepted: {ACCEPTED}")
    return _remote(text, scheme, rest)


def without_secrets(uri: str) -> str:
    """The URI as messages may show it: no password before the host, no query (signatures live there)."""
    shown = re.sub(r"(?<=//)[^/?#\s]*@(?=[^/@]*)", "", uri) if re.match(r"https?:", uri, re.IGNORECASE) else uri
    return re.sub(r"(?i)\b(https?://[^\s?#]*)[?#]\S*", r"\1", shown)


def _path(text: str) -> ModelUri:
    head = text.partition("/")[0]
    if ":" in head:
        raise StorageError(f"{text!r}: {head.partition(':')[0]!r} is not a name for a remote; accepted: {ACCEPTED}")
    return FileUri(path=PurePosixPath(text))


def _file(text: str, rest: str) -> FileUri:
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise StorageError(f"{text}: names a file of the host {host!r}; write file:///{host}/… for this machine")
        rest = slash + path
    if not rest:
        raise StorageError(f"{text}: names no path; write file:///folder/with/the/model")
    return FileUri(path=PurePosixPath(unquote(rest)))


def _claim(text: str, rest: str) -> ClaimUri:
    claim, _, path = rest.removeprefix("//").partition("/")
    if not claim:
        raise StorageError(f"{text}: names no claim; write pvc://<claim>/<path>")
    return ClaimUri(claim=claim, path=_plain_segments(text, path))


def _web(scheme: str, rest: str) -> ModelUri:
    url = f"{scheme}://" + rest.removeprefix("//")
    parts = _split(url)
    if not parts.hostname:
        raise StorageError(f"{without_secrets(url)}: names no host; write {scheme}://host/path/file")
    if blob := _BLOB_HOST.fullmatch(parts.hostname):
        path = _plain_segments(url, unquote(parts.path))
        return RemoteUri(remote="azblob", path=path, account=blob[1], host=parts.hostname, query=parts.query)
    if files := _FILES_HOST.fullmatch(parts.hostname):
        return _share(url, parts, files[1])
    if parts.path.endswith(".git"):
        return _repository(url, parts)
    return HttpUri(url=url)


def _share(url: str, parts: SplitResult, account: str) -> ShareUri:
    path = _plain_segments(url, unquote(parts.path))
    if not path:
        raise StorageError(
            f"{without_secrets(url)}: names no file share; write https://{parts.hostname}/<share>/<path>"
        )
    return ShareUri(account=account, host=parts.hostname or "", path=path, query=parts.query)


def _repository(url: str, parts: SplitResult) -> GitUri:
    if "@" in parts.netloc or parts.query:
        raise StorageError(
            f"{without_secrets(url)}: a login does not belong into the URL of a git repository; "
            "put GIT_USERNAME and GIT_PASSWORD into the Secret"
        )
    return GitUri(url=url)


def _hub(text: str, rest: str) -> HubUri:
    name = rest.removeprefix("//").strip("/")
    if not _HUB_NAME.fullmatch(name) or ".." in name:
        raise StorageError(f"Invalid Hugging Face URI format. Expected 'hf://owner/model[:revision]', got '{text}'")
    repository, _, revision = name.partition(":")
    return HubUri(repository=repository, revision=revision)


def _image(text: str, rest: str) -> OciUri:
    reference = rest.removeprefix("//").strip("/")
    if not reference:
        raise StorageError(f"{text}: names no image; write oci://registry/repository:tag")
    return OciUri(reference=reference)


def _registered(text: str, rest: str) -> RegistryUri:
    found = _REGISTERED.fullmatch(rest.removeprefix("//").strip("/").lower())
    if not found:
        raise StorageError(f"{text}: not a name of the registry; write fairlead://<model>[:<tag>]")
    kind, name, tag = found.groups()
    return RegistryUri(name=name, tag="" if tag in (None, "latest") else tag, is_bento=kind == "bentos")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise StorageError(f"{without_secrets(url)}: not a URL: {error}") from error
    return parts


def _remote(text: str, scheme: str, rest: str) -> RemoteUri:
    lower = scheme.lower()
    path = rest.removeprefix("//")
    if lower in _AZURE_FILESYSTEMS:
        return _azure_filesystem(text, path)
    path = ("/" if path.startswith("/") and not rest.startswith("//") else "") + _plain_segments(text, path)
    if not path.strip("/") and lower in ("gs", "gcs", "s3", "s3a", "s3n", "az", "azblob", "azureblob"):
        raise StorageError(f"{text}: names no bucket; write {scheme}://<bucket>/<path>")
    return RemoteUri(remote=_ALIASES.get(lower, scheme), path=path)


def _azure_filesystem(text: str, rest: str) -> RemoteUri:
    authority, _, path = rest.partition("/")
    container, at, host = authority.partition("@")
    path = _plain_segments(text, f"{container}/{path}")
    if not container:
        raise StorageError(
            f"{text}: names no container; write abfss://<container>@<account>.dfs.core.windows.net/<path>"
        )
    host = host.replace(".dfs.", ".blob.", 1)
    if at and not _BLOB_HOST.fullmatch(host):
        raise StorageError(f"{text}: {host!r} is not a host of Azure storage; name another endpoint in the Secret")
    return RemoteUri(remote="az", path=path, account=host.partition(".")[0] if at else "", host=host)


def _plain_segments(uri: str, path: str) -> str:
    segments = [segment for segment in path.split("/") if segment not in ("", ".")]
    if ".." in segments:
        raise StorageError(f"{without_secrets(uri)}: '..' is not accepted in a path; write the path it leads to")
    return "/".join(segments)
