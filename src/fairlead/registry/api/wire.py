"""The objects of the API, with every key that some client insists on, and how the registry's values become them.

Clients read answers into classes: a key that is missing stops them, one that they do not know is passed over, and
labels are a list even when there are none. Times are RFC 3339 with a zone. A manifest goes out as the text that it
came in as.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from fairlead.registry import callers, values
from fairlead.registry.values import Kind


class Label(msgspec.Struct):
    key: str
    value: str


class Base(msgspec.Struct, kw_only=True):
    uid: str
    created_at: str
    updated_at: str | None
    deleted_at: str | None = None


class Resource(Base, kw_only=True):
    name: str
    resource_type: str
    labels: list[Label]


class User(Resource, kw_only=True):
    first_name: str
    last_name: str
    email: str
    avatar_url: str = ""
    is_super_admin: bool


class Organization(Resource, kw_only=True):
    creator: User | None
    description: str


class Listed(msgspec.Struct, kw_only=True):
    start: int
    count: int
    total: int


class Version(Resource, kw_only=True):
    """A model or a bento; its `name` is its version. `digest` and what follows it are ours."""

    creator: User | None
    version: str
    description: str
    image_build_status: str
    upload_status: str
    upload_started_at: str | None
    upload_finished_at: str | None
    upload_finished_reason: str
    presigned_upload_url: str = ""
    presigned_download_url: str = ""
    presigned_urls_deprecated: bool = False
    transmission_strategy: str | None
    upload_id: str = ""
    manifest: msgspec.Raw
    build_at: str
    digest: str
    archive_bytes: int
    is_immutable: bool
    aliases: list[str]
    used_by: list[str] = []


class Model(Version, kw_only=True):
    model_uid: str


class Bento(Version, kw_only=True):
    bento_repository_uid: str


class Rules(msgspec.Struct, kw_only=True):
    """What a repository keeps and refuses; see docs/registry.md."""

    keep_last: int | None = None
    max_age_days: float | None = None
    keep_labelled: list[str] = []
    is_immutable: bool = False


class Repository(Resource, kw_only=True):
    creator: User | None
    last_updater: User | None
    organization: Organization
    description: str
    n_deployments: int
    rules: Rules


class ModelRepository(Repository, kw_only=True):
    latest_model: Model | None
    n_models: int


class BentoRepository(Repository, kw_only=True):
    latest_bento: Bento | None
    latest_bentos: list[Bento]
    n_bentos: int


class ModelWithRepository(Model, kw_only=True):
    repository: ModelRepository


class BentoWithRepository(Bento, kw_only=True):
    repository: BentoRepository


class ModelList(Listed, kw_only=True):
    items: list[Model]


class BentoList(Listed, kw_only=True):
    items: list[Bento]


class ModelWithRepositoryList(Listed, kw_only=True):
    items: list[ModelWithRepository]


class BentoWithRepositoryList(Listed, kw_only=True):
    items: list[BentoWithRepository]


class ModelRepositoryList(Listed, kw_only=True):
    items: list[ModelRepository]


class BentoRepositoryList(Listed, kw_only=True):
    items: list[BentoRepository]


class Alias(msgspec.Struct, kw_only=True):
    name: str
    version: str
    updated_at: str


class LabelValues(msgspec.Struct, kw_only=True):
    key: str
    values: list[str]


def when(seconds: float) -> str:
    """A time as clients read it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def when_if(seconds: float | None) -> str | None:
    return None if seconds is None else when(seconds)


def user(given: callers.User) -> User:
    return User(
        **_base(given, given.name, "user"),
        first_name=given.first_name,
        last_name=given.last_name,
        email=given.email,
        is_super_admin=given.is_admin,
    )


def organization(given: callers.Organization, creator: callers.User | None = None) -> Organization:
    return Organization(
        **_base(given, given.name, "organization"),
        creator=user(creator) if creator else None,
        description=given.description,
    )


def labels(given: Iterable[values.Label]) -> list[Label]:
    return [Label(label.key, label.value) for label in given]


def _base(given: Any, name: str, resource_type: str, having: Iterable[values.Label] = ()) -> dict[str, Any]:
    return {
        "uid": given.uid,
        "created_at": when(given.created_at),
        "updated_at": when(given.updated_at),
        "name": name,
        "resource_type": resource_type,
        "labels": labels(having),
    }


def version_fields(
    given: values.Version,
    *,
    people: Mapping[str, User],
    strategy: str,
    is_deprecated: bool,
    aliases: Iterable[str],
) -> dict[str, Any]:
    """What a model and a bento have in common."""
    return {
        **_base(given, given.version, given.kind, given.labels),
        "creator": people.get(given.creator),
        "version": given.version,
        "description": given.description,
        "image_build_status": given.image_build_status,
        "upload_status": given.upload_status,
        "upload_started_at": when_if(given.upload_started_at),
        "upload_finished_at": when_if(given.upload_finished_at),
        "upload_finished_reason": given.upload_finished_reason,
        "presigned_urls_deprecated": is_deprecated,
        "transmission_strategy": strategy or None,
        "manifest": msgspec.Raw(given.manifest.encode()),
        "build_at": when(given.build_at),
        "digest": given.digest,
        "archive_bytes": given.size_bytes if given.digest else 0,
        "is_immutable": given.is_immutable,
        "aliases": list(aliases),
        "model_uid" if given.kind is Kind.MODEL else "bento_repository_uid": given.repository,
    }


def repository_fields(
    given: values.Repository, *, people: Mapping[str, User], organization: Organization, n_deployments: int
) -> dict[str, Any]:
    """What repositories of models and of bentos have in common."""
    rules = given.rules
    return {
        **_base(given, given.name, given.kind.repository_type, given.labels),
        "creator": people.get(given.creator),
        "last_updater": people.get(given.last_updater),
        "organization": organization,
        "description": given.description,
        "n_deployments": n_deployments,
        "rules": Rules(
            keep_last=rules.keep_last,
            max_age_days=rules.max_age_days,
            keep_labelled=list(rules.keep_labelled),
            is_immutable=rules.is_immutable,
        ),
    }
