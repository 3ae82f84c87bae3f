"""Versions of models and bentos: what is known of them, their names, and what they refer to. Their bytes come and go
through `uploads` and `downloads`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fairlead.errors import AlreadyExists, Conflict, NotFound
from fairlead.registry import manifests
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.asking import Asker, require
from fairlead.registry.callers import Caller, Verb
from fairlead.registry.db import aliases, repositories, versions
from fairlead.registry.db.engine import Database
from fairlead.registry.db.taken import refused_as
from fairlead.registry.naming import LATEST, check_version
from fairlead.registry.quotas import Quota
from fairlead.registry.removals import Remover
from fairlead.registry.uids import new_uid
from fairlead.registry.values import (
    Kind,
    Label,
    ListQuery,
    NewVersion,
    Page,
    Repository,
    UploadStatus,
    Version,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_MOST_UNSEEN = 200


class Versions:
    """Every method asks whether its caller may."""

    def __init__(self, database: Database, clock: Callable[[], float], remover: Remover) -> None:
        self._database = database
        self._clock = clock
        self._auditor = Auditor(clock)
        self._remover = remover

    async def get(self, asker: Asker, kind: Kind, repository: str, version: str) -> Version:
        """By its name, an alias, or `latest`: the newest that is complete. Raises NotFound."""
        organization = require(asker, Verb.VIEW, kind, f"{repository}:{version}")
        async with self._database.read() as connection:
            holder = await _repository(connection, organization, kind, repository)
            found = await _resolved(connection, holder, version)
        return _there(found, kind, repository, version)

    async def list(self, asker: Asker, kind: Kind, query: ListQuery, *, repository: str = "") -> Page[Version]:
        """Some of a repository's, or of all of the organization's; the newest first."""
        organization = require(asker, Verb.VIEW, kind.repository_type, repository)
        async with self._database.read() as connection:
            if not repository:
                return await versions.page(connection, {"organization": organization}, kind, query)
            holder = await _repository(connection, organization, kind, repository)
            return await versions.page(connection, {"repository": holder.uid}, kind, query)

    async def newest(self, repository_uids: Sequence[str], count: int = 1) -> Mapping[str, Sequence[Version]]:
        """The newest few of each of these repositories, which the caller may see already."""
        async with self._database.read() as connection:
            return await versions.newest(connection, repository_uids, count)

    async def counts(self, repository_uids: Sequence[str]) -> dict[str, int]:
        """How many versions each of these repositories has, of those that have any."""
        async with self._database.read() as connection:
            return await versions.counts(connection, repository_uids)

    async def models_of(self, bento: Version) -> Sequence[Version]:
        """The models that a bento names and that are here."""
        async with self._database.read() as connection:
            return await versions.models_of(connection, bento.organization, bento.uid)

    async def bentos_with(self, asker: Asker, model: str, version: str = "") -> Sequence[Version]:
        """The bentos that name a model, or any version of it."""
        organization = require(asker, Verb.VIEW, Kind.MODEL, model)
        async with self._database.read() as connection:
            return await versions.bentos_with(connection, organization, model, version)

    async def modules(self, asker: Asker) -> Sequence[str]:
        """The modules that models were made with."""
        organization = require(asker, Verb.VIEW, "organization")
        async with self._database.read() as connection:
            return await versions.modules(connection, organization)

    async def create(self, caller: Caller, kind: Kind, repository: str, new: NewVersion) -> Version:
        """Announce a version whose bytes come next. One that is not complete yet may be announced again, so that of two
        clients that push the same at once both can. Raises AlreadyExists for a complete one."""
        organization = require(caller, Verb.UPDATE, kind.repository_type, repository)
        check_version(new.version)
        facts = manifests.read(new.manifest)
        with refused_as(f"{kind} {repository}:{new.version} already exists"):
            async with self._database.begin() as connection:
                holder = await _repository(connection, organization, kind, repository, is_locked=True)
                found = await versions.find(connection, holder.uid, new.version, is_locked=True)
                if found is not None and found.is_complete:
                    raise AlreadyExists(f"{kind} {found.tag} already exists")
                if found is None:
                    await self._refuse_new(connection, holder, new.version)
                made = self._made(caller, holder, new, facts, found)
                await self._store(connection, made, is_new=found is None)
                await versions.put_models(connection, organization, made.uid, facts.models)
                await repositories.touch(connection, holder.uid, self._clock(), caller.user.uid)
                await self._auditor.record(connection, caller, "created", kind, uid=made.uid, name=made.tag)
        return made

    async def update(
        self,
        caller: Caller,
        kind: Kind,
        repository: str,
        version: str,
        *,
        description: str | None = None,
        manifest: str | None = None,
        labels: Sequence[Label] | None = None,
        is_immutable: bool | None = None,
    ) -> Version:
        """Change what is given. Raises Conflict for the manifest of an immutable version."""
        organization = require(caller, Verb.UPDATE, kind, f"{repository}:{version}")
        facts = manifests.read(manifest) if manifest is not None else None
        async with self._database.begin() as connection:
            holder = await _repository(connection, organization, kind, repository)
            named = await versions.find(connection, holder.uid, version, is_locked=True)
            found = _there(named, kind, repository, version)
            if manifest not in (None, found.manifest) and _is_fixed(found, holder):
                raise Conflict(f"{kind} {found.tag} is immutable")
            if is_immutable is False and found.is_immutable:
                require(caller, Verb.OPERATE, kind, found.tag)
            changed = replace(
                found,
                updated_at=self._clock(),
                description=found.description if description is None else description,
                manifest=found.manifest if manifest is None else manifest,
                module=found.module if facts is None else facts.module,
                labels=found.labels if labels is None else tuple(labels),
                is_immutable=found.is_immutable if is_immutable is None else is_immutable,
            )
            await versions.change(connection, changed, has_labels=labels is not None)
            if facts is not None:
                await versions.put_models(connection, organization, found.uid, facts.models)
            await repositories.touch(connection, holder.uid, self._clock(), caller.user.uid)
            await self._auditor.record(connection, caller, "updated", kind, uid=found.uid, name=found.tag)
        return changed

    async def delete(
        self, caller: Caller, kind: Kind, repository: str, version: str, *, force: bool = False
    ) -> Version:
        """Remove one. Raises Conflict for what is in use or immutable, unless it is forced."""
        organization = require(caller, Verb.OPERATE, kind, f"{repository}:{version}")
        runs = await self._remover.deployed(organization)
        async with self._database.begin() as connection:
            holder = await _repository(connection, organization, kind, repository)
            named = await versions.find(connection, holder.uid, version, is_locked=True)
            found = _there(named, kind, repository, version)
            await self._remover.remove(connection, holder, [found], runs, force=force)
            await repositories.touch(connection, holder.uid, self._clock(), caller.user.uid)
            await self._auditor.record(connection, caller, "deleted", kind, uid=found.uid, name=found.tag)
        return found

    async def set_image_build_status(self, version: Version, status: str | None, *, is_syncing: bool = False) -> None:
        """Note what became of the image of a bento; `is_syncing`: that somebody looks after it."""
        async with self._database.begin() as connection:
            await versions.set_image_build_status(
                connection, version.uid, status=status, now=self._clock(), is_syncing=is_syncing
            )

    async def with_unknown_images(self, asker: Asker, *, unseen_s: float = 60.0) -> Sequence[Version]:
        """The newest bentos whose image is not done and that nobody has looked after for so long. Where no images are
        made they are all, so not more come at once than a builder looks at; those come later whose turn it was."""
        organization = require(asker, Verb.VIEW, "organization")
        async with self._database.read() as connection:
            before = self._clock() - unseen_s
            return await versions.with_unknown_images(connection, organization, before, count=_MOST_UNSEEN)

    async def _refuse_new(self, connection: "AsyncConnection", holder: Repository, version: str) -> None:
        if await aliases.target(connection, holder.uid, version):
            raise Conflict(f"{holder.kind} {holder.name}:{version} is an alias")
        quota = Quota.read(await versions.lock_organization(connection, holder.organization))
        if quota.versions is not None:
            number, _ = await versions.held(connection, holder.organization)
            quota.refuse_versions(number + 1)

    async def _store(self, connection: "AsyncConnection", made: Version, *, is_new: bool) -> None:
        if is_new:
            await versions.insert(connection, made)
        else:
            await versions.change(connection, made, has_labels=True)

    def _made(
        self, caller: Caller, holder: Repository, new: NewVersion, facts: manifests.Facts, found: Version | None
    ) -> Version:
        now = self._clock()
        status = found.upload_status if found is not None else UploadStatus.PENDING
        return Version(
            uid=found.uid if found is not None else new_uid(self._clock),
            created_at=found.created_at if found is not None else now,
            updated_at=now,
            organization=holder.organization,
            kind=holder.kind,
            repository=holder.uid,
            repository_name=holder.name,
            version=new.version,
            description=new.description,
            manifest=new.manifest,
            module=facts.module,
            size_bytes=facts.size_bytes,
            build_at=new.build_at,
            creator=caller.user.uid,
            upload_status=UploadStatus.SUCCESS if facts.is_elsewhere else status,
            upload_started_at=found.upload_started_at if found is not None else None,
            upload_finished_at=now if facts.is_elsewhere else None,
            labels=tuple(new.labels),
        )


async def _repository(
    connection: "AsyncConnection", organization: str, kind: Kind, name: str, *, is_locked: bool = False
) -> Repository:
    found = await repositories.find(connection, organization, kind, name, is_locked=is_locked)
    if found is None:
        raise NotFound(f"get {kind}Repository {name}: record not found")
    return found


async def _resolved(connection: "AsyncConnection", holder: Repository, version: str) -> Version | None:
    if version == LATEST:
        return await versions.latest(connection, holder.uid)
    if found := await versions.find(connection, holder.uid, version):
        return found
    uid = await aliases.target(connection, holder.uid, version)
    return await versions.find_uid(connection, uid) if uid else None


def _there(found: Version | None, kind: Kind, repository: str, version: str) -> Version:
    if found is None:
        raise NotFound(f"get {kind} {repository}:{version}: record not found")
    return found


def _is_fixed(version: Version, holder: Repository) -> bool:
    return version.is_complete and (version.is_immutable or holder.rules.is_immutable)
