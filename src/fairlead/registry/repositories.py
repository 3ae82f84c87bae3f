"""Repositories: the names that models and bentos have versions of."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from fairlead.errors import AlreadyExists, NotFound
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.asking import Asker, require
from fairlead.registry.callers import Caller, Verb
from fairlead.registry.db import repositories
from fairlead.registry.db.engine import Database
from fairlead.registry.db.taken import refused_as
from fairlead.registry.naming import check_name
from fairlead.registry.removals import Remover
from fairlead.registry.uids import new_uid
from fairlead.registry.values import Kind, Label, ListQuery, Page, Repository, Rules


class Repositories:
    """Every method asks whether its caller may."""

    def __init__(self, database: Database, clock: Callable[[], float], remover: Remover) -> None:
        self._database = database
        self._clock = clock
        self._auditor = Auditor(clock)
        self._remover = remover

    async def get(self, asker: Asker, kind: Kind, name: str) -> Repository:
        """By name. Raises NotFound."""
        organization = require(asker, Verb.VIEW, kind.repository_type, name)
        async with self._database.read() as connection:
            found = await repositories.find(connection, organization, kind, name)
        return _there(found, kind, name)

    async def get_many(self, uids: Sequence[str]) -> dict[str, Repository]:
        """Those of these uids that there are, for what a caller may see already."""
        async with self._database.read() as connection:
            return await repositories.get(connection, uids)

    async def list(self, asker: Asker, kind: Kind, query: ListQuery) -> Page[Repository]:
        """Some of the organization's, the last changed first."""
        organization = require(asker, Verb.VIEW, "organization")
        async with self._database.read() as connection:
            return await repositories.page(connection, organization, kind, query)

    async def create(
        self, caller: Caller, kind: Kind, name: str, *, description: str = "", labels: Sequence[Label] = ()
    ) -> Repository:
        """A new one; or the one that there is, because of two clients that push at once both make it."""
        organization = require(caller, Verb.UPDATE, "organization", caller.organization.name)
        now = self._clock()
        wanted = Repository(
            uid=new_uid(self._clock),
            created_at=now,
            updated_at=now,
            organization=organization,
            kind=kind,
            name=check_name(name),
            description=description,
            creator=caller.user.uid,
            last_updater=caller.user.uid,
            labels=tuple(labels),
        )
        try:
            return await self._insert(caller, wanted)
        except AlreadyExists:
            return await self.get(caller, kind, name)

    async def update(
        self,
        caller: Caller,
        kind: Kind,
        name: str,
        *,
        description: str | None = None,
        labels: Sequence[Label] | None = None,
        rules: Rules | None = None,
    ) -> Repository:
        """Change what is given. What it keeps and refuses is for those in charge to say."""
        organization = require(caller, Verb.UPDATE, kind.repository_type, name)
        if rules is not None:
            require(caller, Verb.OPERATE, kind.repository_type, name)
        async with self._database.begin() as connection:
            found = _there(await repositories.find(connection, organization, kind, name, is_locked=True), kind, name)
            changed = replace(
                found,
                updated_at=self._clock(),
                last_updater=caller.user.uid,
                description=found.description if description is None else description,
                labels=found.labels if labels is None else tuple(labels),
                rules=rules or found.rules,
            )
            await repositories.change(connection, changed)
            await self._auditor.record(connection, caller, "updated", kind.repository_type, uid=found.uid, name=name)
        return changed

    async def delete(self, caller: Caller, kind: Kind, name: str, *, force: bool = False) -> Repository:
        """Remove it with all its versions. Raises Conflict for what is in use or immutable, unless it is forced."""
        organization = require(caller, Verb.OPERATE, kind.repository_type, name)
        deployed = await self._remover.deployed(organization)
        async with self._database.begin() as connection:
            found = _there(await repositories.find(connection, organization, kind, name, is_locked=True), kind, name)
            await self._remover.remove_all(connection, found, deployed, force=force)
            await repositories.delete(connection, found)
            await self._auditor.record(connection, caller, "deleted", kind.repository_type, uid=found.uid, name=name)
        return found

    async def _insert(self, caller: Caller, wanted: Repository) -> Repository:
        kind = wanted.kind
        with refused_as(f"{kind} repository {wanted.name} already exists"):
            async with self._database.begin() as connection:
                if found := await repositories.find(connection, wanted.organization, kind, wanted.name):
                    return found
                await repositories.insert(connection, wanted)
                await self._auditor.record(
                    connection, caller, "created", kind.repository_type, uid=wanted.uid, name=wanted.name
                )
        return wanted


def _there(found: Repository | None, kind: Kind, name: str) -> Repository:
    if found is None:
        raise NotFound(f"get {kind}Repository {name}: record not found")
    return found
