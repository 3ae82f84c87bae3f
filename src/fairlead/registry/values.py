"""What the registry's services take and give: frozen values, none of them a row, none of them JSON.

People appear by their uid, empty when they are gone; times are seconds since the epoch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar

_T = TypeVar("_T")
STRATEGIES = ("proxy", "presigned_url", "")
"""How clients are told to transfer bytes: through the API, in signed parts, or (empty) in one signed request."""


class Kind(StrEnum):
    """What a repository holds."""

    MODEL = "model"
    BENTO = "bento"

    @property
    def repository_type(self) -> str:
        """The repositories' own `resource_type`."""
        return f"{self}_repository"


class UploadStatus(StrEnum):
    PENDING = "pending"
    UPLOADING = "uploading"
    SUCCESS = "success"
    FAILED = "failed"


class Mode(StrEnum):
    """How the bytes of an upload come: through us, in one request to a signed address, or in parts to many."""

    PROXY = "proxy"
    PRESIGNED = "presigned"
    MULTIPART = "multipart"
    ANNOUNCED = "announced"
    """Somebody has said that bytes will come, and not yet how."""


@dataclass(frozen=True, slots=True)
class Label:
    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a repository keeps and refuses. Retention removes a version that any of the limits is over and nothing
    keeps: its labels (`key` or `key=value`), an alias, or a deployment that uses it."""

    keep_last: int | None = None
    max_age_days: float | None = None
    keep_labelled: tuple[str, ...] = ()
    is_immutable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    uid: str
    created_at: float
    updated_at: float
    organization: str
    kind: Kind
    name: str
    description: str = ""
    rules: Rules = Rules()
    creator: str = ""
    last_updater: str = ""
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A model or a bento. `manifest` is JSON as it was sent; `digest` is empty while nothing was ever stored."""

    uid: str
    created_at: float
    updated_at: float
    organization: str
    kind: Kind
    repository: str
    repository_name: str
    version: str
    description: str = ""
    manifest: str = "null"
    module: str = ""
    size_bytes: int = 0
    build_at: float
    creator: str = ""
    upload_status: UploadStatus
    upload_started_at: float | None = None
    upload_finished_at: float | None = None
    upload_finished_reason: str = ""
    image_build_status: str = "pending"
    digest: str = ""
    is_immutable: bool = False
    labels: tuple[Label, ...] = ()

    @property
    def tag(self) -> str:
        return f"{self.repository_name}:{self.version}"

    @property
    def is_complete(self) -> bool:
        """Whether everything of it is here to be had."""
        return self.upload_status is UploadStatus.SUCCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version as its maker describes it. `manifest` is JSON text."""

    version: str
    build_at: float
    description: str = ""
    manifest: str = "null"
    labels: Sequence[Label] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name that points at a version and may be moved."""

    name: str
    version: str
    updated_at: float
    creator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFilter:
    """Keeps what has the label; with no `value` any value of it; negated, what has it not."""

    key: str
    value: str | None = None
    is_negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What a list is asked for. `count` 0 is everything; `sort` is empty for the list's own order. Keys of `filters`
    are words of the language (`creator`, `module`, …), each with the values of which any will do."""

    start: int = 0
    count: int = 0
    keywords: tuple[str, ...] = ()
    fields: tuple[str, ...] = ("name",)
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    flags: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    labels: tuple[LabelFilter, ...] = ()
    sort: str = ""
    is_descending: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[_T]):
    """Some of a list's items, and how many there are in all."""

    start: int
    count: int
    total: int
    items: Sequence[_T]
