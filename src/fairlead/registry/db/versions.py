"""Queries about versions of models and bentos. Each function works inside the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db import labels, lists
from fairlead.registry.db.batches import batches
from fairlead.registry.db.tables import bento_models, organizations, repositories, versions
from fairlead.registry.values import Kind, Label, ListQuery, Page, UploadStatus, Version

_C = versions.c
_COUNTED = (UploadStatus.SUCCESS, UploadStatus.UPLOADING)
_WITH_NAME = sa.select(versions, repositories.c.name.label("repository_name")).join(
    repositories, repositories.c.uid == _C.repository
)


async def find(
    connection: AsyncConnection, repository: str, version: str, *, is_locked: bool = False
) -> Version | None:
    """By its name; `is_locked` keeps others from changing it until the transaction ends."""
    return await _one(connection, _WITH_NAME.where(_C.repository == repository, _C.version == version), is_locked)


async def find_uid(connection: AsyncConnection, uid: str, *, is_locked: bool = False) -> Version | None:
    """By its uid."""
    return await _one(connection, _WITH_NAME.where(_C.uid == uid), is_locked)


async def get(connection: AsyncConnection, uids: Iterable[str]) -> dict[str, Version]:
    """Those of these uids that there are."""
    rows = [row for some in batches(uids) for row in await connection.execute(_WITH_NAME.where(_C.uid.in_(some)))]
    return {version.uid: version for version in await _whole(connection, rows)}


async def latest(connection: AsyncConnection, repository: str) -> Version | None:
    """The newest that is complete."""
    query = _WITH_NAME.where(_C.repository == repository, _C.upload_status == UploadStatus.SUCCESS)
    return await _one(connection, query.order_by(_C.build_at.desc(), _C.uid.desc()).limit(1), is_locked=False)


async def newest(connection: AsyncConnection, repository_uids: Sequence[str], count: int) -> dict[str, list[Version]]:
    """The newest few of each of these repositories, whatever became of their uploads."""
    found: dict[str, list[Version]] = {}
    for repository in repository_uids:
        query = _WITH_NAME.where(_C.repository == repository).order_by(_C.build_at.desc(), _C.uid.desc()).limit(count)
        found[repository] = await _whole(connection, list(await connection.execute(query)))
    return found


async def counts(connection: AsyncConnection, repository_uids: Iterable[str]) -> dict[str, int]:
    """How many versions each of these repositories has, of those that have any."""
    found: dict[str, int] = {}
    for some in batches(repository_uids):
        query = sa.select(_C.repository, sa.func.count()).where(_C.repository.in_(some)).group_by(_C.repository)
        found |= {row[0]: row[1] for row in await connection.execute(query)}
    return found


async def in_repository(connection: AsyncConnection, repository: str) -> list[Version]:
    """All of a repository's, the newest first."""
    query = _WITH_NAME.where(_C.repository == repository).order_by(_C.build_at.desc(), _C.uid.desc())
    return await _whole(connection, list(await connection.execute(query)))


async def insert(connection: AsyncConnection, version: Version) -> None:
    """Add one. Raises the driver's IntegrityError when the repository has that version."""
    await connection.execute(versions.insert().values(uid=version.uid, created_at=version.created_at, **_row(version)))
    await labels.put(connection, version.organization, version.kind, version.uid, version.labels)


async def change(connection: AsyncConnection, version: Version, *, has_labels: bool = False) -> None:
    """Write what may change of it, and its labels if they did."""
    await connection.execute(versions.update().where(_C.uid == version.uid).values(_row(version)))
    if has_labels:
        await labels.put(connection, version.organization, version.kind, version.uid, version.labels)


async def delete(connection: AsyncConnection, kind: Kind, uids: Iterable[str]) -> None:
    """Remove these; the bytes that they had are for whoever collects."""
    for some in batches(uids):
        await labels.remove(connection, kind, some)
        await connection.execute(versions.delete().where(_C.uid.in_(some)))


async def set_image_build_status(
    connection: AsyncConnection, uid: str, *, status: str | None, now: float, is_syncing: bool
) -> None:
    """What became of the image that is built of it, or that somebody is looking."""
    values: dict[str, object] = {"image_build_status_syncing_at": now} if is_syncing else {}
    if status is not None:
        values |= {"image_build_status": status, "image_build_status_updated_at": now, "updated_at": now}
    await connection.execute(versions.update().where(_C.uid == uid).values(values))


async def with_unknown_images(
    connection: AsyncConnection, organization: str, before: float, *, count: int
) -> list[Version]:
    """The newest few bentos whose image is not done and at which nobody has looked since."""
    looked = sa.func.coalesce(_C.image_build_status_syncing_at, 0.0)
    query = _WITH_NAME.where(
        _C.organization == organization,
        _C.kind == Kind.BENTO,
        _C.image_build_status.in_(("pending", "building")),
        looked < before,
    )
    newest = query.order_by(_C.build_at.desc(), _C.uid.desc()).limit(count)
    return await _whole(connection, list(await connection.execute(newest)))


async def lock_organization(connection: AsyncConnection, organization: str) -> str:
    """Its configuration; nobody else counts what it holds until the transaction ends."""
    query = sa.select(organizations.c.config).where(organizations.c.uid == organization)
    # Rows that refer to the organization may still be added meanwhile.
    return str((await connection.execute(query.with_for_update(key_share=True))).scalar_one())


async def held(connection: AsyncConnection, organization: str, *, without: str = "") -> tuple[int, int]:
    """How many versions an organization has, and how many bytes they have or are bringing."""
    number = sa.select(sa.func.count()).select_from(versions).where(_C.organization == organization)
    size = sa.select(sa.func.coalesce(sa.func.sum(_C.size_bytes), 0)).where(
        _C.organization == organization, _C.upload_status.in_(_COUNTED), _C.uid != without
    )
    return int(await connection.scalar(number) or 0), int(await connection.scalar(size) or 0)


async def modules(connection: AsyncConnection, organization: str) -> list[str]:
    """The modules that models were made with, in order."""
    query = sa.select(_C.module).where(_C.organization == organization, _C.kind == Kind.MODEL, _C.module != "")
    return sorted(await connection.scalars(query.distinct()))


async def put_models(
    connection: AsyncConnection, organization: str, bento: str, tags: Sequence[tuple[str, str]]
) -> None:
    """Note the models that a bento's manifest names, in place of those noted before."""
    await connection.execute(bento_models.delete().where(bento_models.c.bento == bento))
    rows = [
        {"bento": bento, "organization": organization, "model_name": name, "model_version": version}
        for name, version in dict.fromkeys(tags)
    ]
    if rows:
        await connection.execute(bento_models.insert(), rows)


async def models_of(connection: AsyncConnection, organization: str, bento: str) -> list[Version]:
    """The models of a bento that are here."""
    query = _WITH_NAME.where(
        _C.organization == organization,
        _C.kind == Kind.MODEL,
        sa.exists().where(
            bento_models.c.bento == bento,
            bento_models.c.model_name == repositories.c.name,
            bento_models.c.model_version == _C.version,
        ),
    )
    return await _whole(connection, list(await connection.execute(query.order_by(repositories.c.name, _C.version))))


async def bentos_with(
    connection: AsyncConnection, organization: str, model_name: str, model_version: str = ""
) -> list[Version]:
    """The bentos whose manifest names a model, or any version of it; the newest first."""
    linked = sa.select(bento_models.c.bento).where(
        bento_models.c.organization == organization, bento_models.c.model_name == model_name
    )
    if model_version:
        linked = linked.where(bento_models.c.model_version == model_version)
    query = _WITH_NAME.where(_C.uid.in_(linked)).order_by(_C.build_at.desc(), _C.uid.desc())
    return await _whole(connection, list(await connection.execute(query)))


async def bentos_by_model_version(connection: AsyncConnection, organization: str, model: str) -> dict[str, list[str]]:
    """The uids of the bentos that name each version of a model."""
    query = sa.select(bento_models.c.model_version, bento_models.c.bento).where(
        bento_models.c.organization == organization, bento_models.c.model_name == model
    )
    found: dict[str, list[str]] = {}
    for version, bento in await connection.execute(query):
        found.setdefault(version, []).append(bento)
    return found


async def page(connection: AsyncConnection, scope: Mapping[str, str], kind: Kind, query: ListQuery) -> Page[Version]:
    """Some of a repository's or an organization's (`scope` is the column that says which), the newest first."""
    columns = _columns(kind)
    where = [*_scope(scope, kind), *lists.conditions(columns, query)]
    counted = sa.select(sa.func.count()).select_from(versions)
    if query.keywords:
        counted = counted.join(repositories, repositories.c.uid == _C.repository)
    total = await connection.scalar(counted.where(*where))
    uids = list(await connection.scalars(page_of_uids(scope, kind, query)))
    found = await get(connection, uids)
    items = [found[uid] for uid in uids]
    return Page(start=query.start, count=query.count, total=int(total or 0), items=items)


def page_of_uids(scope: Mapping[str, str], kind: Kind, query: ListQuery) -> sa.Select[str]:
    """The uids of one page. By themselves they are found in an index, and rows that a page skips are never read."""
    columns = _columns(kind)
    selected = sa.select(_C.uid)
    if query.keywords:
        selected = selected.join(repositories, repositories.c.uid == _C.repository)
    selected = selected.where(*_scope(scope, kind), *lists.conditions(columns, query))
    return selected.order_by(*lists.order(columns, query)).limit(lists.limit(query)).offset(query.start)


def _scope(scope: Mapping[str, str], kind: Kind) -> list[sa.ColumnElement[bool]]:
    given = [_C[column] == uid for column, uid in scope.items()]
    return given if "repository" in scope else [*given, _C.kind == kind]


def _columns(kind: Kind) -> lists.Columns:
    return lists.Columns(
        uid=_C.uid,
        resource_type=kind,
        texts={"name": (_C.version, repositories.c.name), "description": (_C.description,)},
        filters={"module": _C.module, "status": _C.upload_status},
        people={"creator": _C.creator},
        sorts={
            "build_at": _C.build_at,
            "created_at": _C.created_at,
            "updated_at": _C.updated_at,
            "size": sa.type_coerce(_C.size_bytes, sa.Double),
        },
    )


async def _one(connection: AsyncConnection, query: sa.Select[Any], is_locked: bool) -> Version | None:
    locked = query.with_for_update(of=versions) if is_locked else query
    row = (await connection.execute(locked)).one_or_none()
    return (await _whole(connection, [row]))[0] if row is not None else None


async def _whole(connection: AsyncConnection, rows: Sequence[sa.Row[Any]]) -> list[Version]:
    found: dict[str, tuple[Label, ...]] = {}
    for kind in {row.kind for row in rows}:
        found |= await labels.of(connection, kind, [row.uid for row in rows if row.kind == kind])
    return [replace(_version(row), labels=found.get(row.uid, ())) for row in rows]


def _version(row: sa.Row[Any]) -> Version:
    return Version(
        uid=row.uid,
        created_at=row.created_at,
        updated_at=row.updated_at,
        organization=row.organization,
        kind=Kind(row.kind),
        repository=row.repository,
        repository_name=row.repository_name,
        version=row.version,
        description=row.description,
        manifest=row.manifest,
        module=row.module,
        size_bytes=row.size_bytes,
        build_at=row.build_at,
        creator=row.creator or "",
        upload_status=UploadStatus(row.upload_status),
        upload_started_at=row.upload_started_at,
        upload_finished_at=row.upload_finished_at,
        upload_finished_reason=row.upload_finished_reason,
        image_build_status=row.image_build_status,
        digest=row.digest or "",
        is_immutable=row.is_immutable,
    )


def _row(version: Version) -> dict[str, object]:
    return {
        "updated_at": version.updated_at,
        "organization": version.organization,
        "kind": version.kind,
        "repository": version.repository,
        "version": version.version,
        "description": version.description,
        "manifest": version.manifest,
        "module": version.module,
        "size_bytes": version.size_bytes,
        "build_at": version.build_at,
        "creator": version.creator or None,
        "upload_status": version.upload_status,
        "upload_started_at": version.upload_started_at,
        "upload_finished_at": version.upload_finished_at,
        "upload_finished_reason": version.upload_finished_reason,
        "digest": version.digest or None,
        "is_immutable": version.is_immutable,
    }
