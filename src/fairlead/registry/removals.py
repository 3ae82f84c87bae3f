"""What may be removed: nothing that a deployment runs, that a bento needs, or that was said to be immutable."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from fairlead.errors import Conflict
from fairlead.registry.db import removing, versions
from fairlead.registry.usage import Tag, Uses, deployed, tag_of
from fairlead.registry.values import Kind, Repository, Version

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

Deployed = Mapping[Tag, Sequence[str]]
_NAMED = 3


class Remover:
    """Removes versions in a transaction of the caller's, or says why not. `uses` are asked what runs."""

    def __init__(self, clock: Callable[[], float], *, grace_s: float, uses: Sequence[Uses]) -> None:
        self._clock = clock
        self._grace_s = grace_s
        self._uses = uses

    async def deployed(self, organization: str) -> Deployed:
        """What runs now; asked before a transaction begins, because the answer may come from elsewhere."""
        return await deployed(self._uses, organization)

    async def remove(
        self,
        connection: "AsyncConnection",
        repository: Repository,
        gone: Sequence[Version],
        runs: Deployed,
        *,
        force: bool,
    ) -> None:
        """Remove these versions of one repository. Raises Conflict naming what stands against it, unless `force`."""
        if not force:
            await self._refuse(connection, repository, gone, runs)
        await self.drop(connection, gone)

    async def remove_all(
        self, connection: "AsyncConnection", repository: Repository, runs: Deployed, *, force: bool
    ) -> None:
        """Remove every version of a repository."""
        await self.remove(
            connection, repository, await versions.in_repository(connection, repository.uid), runs, force=force
        )

    async def drop(self, connection: "AsyncConnection", gone: Sequence[Version]) -> None:
        """Remove these, whatever stands against it."""
        await removing.remove_versions(connection, gone, now=self._clock(), grace_s=self._grace_s)

    async def _refuse(
        self, connection: "AsyncConnection", repository: Repository, gone: Sequence[Version], runs: Deployed
    ) -> None:
        linked = await needed(connection, repository)
        for version in gone:
            if names := runs.get(tag_of(version)):
                raise Conflict(f"{version.kind} {version.tag} is used by the deployment {_listed(names)}")
            if bentos := linked.get(version.version):
                raise Conflict(f"{version.kind} {version.tag} is needed by the bento {_listed(bentos)}")
            if version.is_complete and (version.is_immutable or repository.rules.is_immutable):
                raise Conflict(f"{version.kind} {version.tag} is immutable")


async def needed(connection: "AsyncConnection", repository: Repository) -> dict[str, list[str]]:
    """The bentos (by tag) that name each version of a repository of models."""
    if repository.kind is not Kind.MODEL:
        return {}
    links = await versions.bentos_by_model_version(connection, repository.organization, repository.name)
    found = await versions.get(connection, {uid for uids in links.values() for uid in uids})
    return {name: sorted(found[uid].tag for uid in uids if uid in found) for name, uids in links.items()}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(sorted(names)[:_NAMED]) + more
