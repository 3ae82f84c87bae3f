"""Aliases: names such as `production` that point at a version and may be moved to another."""

from collections.abc import Callable, Mapping, Sequence

from fairlead.errors import Conflict, NotFound
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.asking import Asker, require
from fairlead.registry.callers import Caller, Verb
from fairlead.registry.db import aliases, repositories, versions
from fairlead.registry.db.engine import Database
from fairlead.registry.naming import LATEST, check_name
from fairlead.registry.values import Alias, Kind


class Aliases:
    """Every method asks whether its caller may."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._auditor = Auditor(clock)

    async def list(self, asker: Asker, kind: Kind, repository: str) -> Sequence[Alias]:
        """A repository's, in order of their names."""
        organization = require(asker, Verb.VIEW, kind.repository_type, repository)
        async with self._database.read() as connection:
            holder = await repositories.find(connection, organization, kind, repository)
            if holder is None:
                raise NotFound(f"get {kind}Repository {repository}: record not found")
            return (await aliases.of_repositories(connection, [holder.uid])).get(holder.uid, [])

    async def of_repositories(self, repository_uids: Sequence[str]) -> Mapping[str, Sequence[Alias]]:
        """Those of these repositories, which the caller may see already."""
        async with self._database.read() as connection:
            return await aliases.of_repositories(connection, repository_uids)

    async def put(self, caller: Caller, kind: Kind, repository: str, name: str, version: str) -> Alias:
        """Have a name point at a version, wherever it pointed before. Raises Conflict for the name of a version."""
        organization = require(caller, Verb.UPDATE, kind.repository_type, repository)
        check_name(name, "alias")
        now = self._clock()
        async with self._database.begin() as connection:
            # The lock keeps a version of that name from being made meanwhile.
            holder = await repositories.find(connection, organization, kind, repository, is_locked=True)
            target = await versions.find(connection, holder.uid, version) if holder is not None else None
            if holder is None or target is None:
                raise NotFound(f"get {kind} {repository}:{version}: record not found")
            if name == LATEST or await versions.find(connection, holder.uid, name) is not None:
                raise Conflict(f"{kind} {repository}:{name} is a version, and cannot be an alias")
            await aliases.put(connection, holder.uid, name, target.uid, now, caller.user.uid)
            info = {"alias": name}
            await self._auditor.record(connection, caller, "tagged", kind, uid=target.uid, name=target.tag, info=info)
        return Alias(name=name, version=version, updated_at=now, creator=caller.user.uid)

    async def remove(self, caller: Caller, kind: Kind, repository: str, name: str) -> None:
        """Take the name away; the version stays. Raises NotFound."""
        organization = require(caller, Verb.UPDATE, kind.repository_type, repository)
        async with self._database.begin() as connection:
            holder = await repositories.find(connection, organization, kind, repository, is_locked=True)
            if holder is None or not await aliases.remove(connection, holder.uid, name):
                raise NotFound(f"get {kind} {repository}:{name}: record not found")
            tag = f"{repository}:{name}"
            await self._auditor.record(connection, caller, "untagged", kind, uid=holder.uid, name=tag)
