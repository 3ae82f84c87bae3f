"""Gathers what the answers show beside what was asked for: who made it, what is newest, which names point at it.

Everything that a list needs is asked for once for the whole list, however long it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fairlead.registry.api import wire
from fairlead.registry.api.calls import Call
from fairlead.registry.db import people as people_queries
from fairlead.registry.usage import tag_of
from fairlead.registry.values import Alias, Kind, Page, Repository, Version

_SHAPES: dict[Kind, tuple[Any, Any]] = {
    Kind.MODEL: (wire.Model, wire.ModelWithRepository),
    Kind.BENTO: (wire.Bento, wire.BentoWithRepository),
}
_LATEST = 3
# Clients of these versions were told in one field that addresses are not signed, later ones in another.
_DEPRECATION_IS_SAID = ((1, 0, 4), (1, 0, 5))


async def version(call: Call, given: Version, **fields: Any) -> wire.Version:
    """One version, with what else its answer says (`presigned_upload_url`, `upload_id`, …)."""
    (shown,) = await versions(call, [given])
    for name, value in fields.items():
        setattr(shown, name, value)
    return shown


async def versions(call: Call, given: Sequence[Version], *, has_repository: bool = False) -> list[wire.Version]:
    """Versions in the order given, with their repositories if asked."""
    aliases = await call.registry.aliases.of_repositories(sorted({each.repository for each in given}))
    named = _names(given, aliases)
    people = await _people(call, [each.creator for each in given])
    holders: Mapping[str, wire.Repository] = {}
    if has_repository:
        found = await call.registry.repositories.get_many(sorted({each.repository for each in given}))
        shown = await repositories(call, list(found.values()))
        holders = dict(zip(found, shown, strict=True))
    return [_version(call, each, people, named.get(each.uid, ()), holders.get(each.repository)) for each in given]


def _names(given: Sequence[Version], aliases: Mapping[str, Sequence[Alias]]) -> dict[str, list[str]]:
    uids = {(each.repository, each.version): each.uid for each in given}
    named: dict[str, list[str]] = {}
    for repository, some in aliases.items():
        for alias in some:
            if uid := uids.get((repository, alias.version)):
                named.setdefault(uid, []).append(alias.name)
    return named


def _version(
    call: Call,
    given: Version,
    people: Mapping[str, wire.User],
    aliases: Iterable[str],
    holder: wire.Repository | None,
) -> wire.Version:
    strategy = call.registry.config.transmission_strategy
    is_deprecated = strategy == "proxy" and _is_between(call.caller.client_version, *_DEPRECATION_IS_SAID)
    fields = wire.version_fields(
        given, people=people, strategy=strategy, is_deprecated=is_deprecated, aliases=sorted(aliases)
    )
    plain, whole = _SHAPES[given.kind]
    shown: wire.Version = plain(**fields) if holder is None else whole(**fields, repository=holder)
    return shown


def _is_between(version: tuple[int, int, int] | None, first: tuple[int, int, int], last: tuple[int, int, int]) -> bool:
    return version is not None and first <= version <= last


async def repositories(call: Call, given: Sequence[Repository]) -> list[wire.Repository]:
    """Repositories in the order given, with the newest of their versions."""
    uids = [each.uid for each in given]
    newest = await call.registry.versions.newest(uids, _LATEST)
    counts = await call.registry.versions.counts(uids)
    flat = [each for some in newest.values() for each in some]
    shown = {each.uid: each for each in await versions(call, flat)}
    people = await _people(call, [uid for each in given for uid in (each.creator, each.last_updater)])
    deployed = await _deployments(call)
    organization = await _organization(call)
    return [
        _repository(
            each,
            wire.repository_fields(
                each,
                people=people,
                organization=organization,
                n_deployments=len(deployed.get((each.kind, each.name), ())),
            ),
            [shown[version.uid] for version in newest.get(each.uid, ())],
            counts.get(each.uid, 0),
        )
        for each in given
    ]


def _repository(given: Repository, fields: dict[str, Any], newest: list[Any], count: int) -> wire.Repository:
    first = newest[0] if newest else None
    if given.kind is Kind.MODEL:
        return wire.ModelRepository(**fields, latest_model=first, n_models=count)
    return wire.BentoRepository(**fields, latest_bento=first, latest_bentos=newest, n_bentos=count)


async def _deployments(call: Call) -> dict[tuple[Kind, str], set[str]]:
    """The deployments that use any version of a repository."""
    found: dict[tuple[Kind, str], set[str]] = {}
    running = await call.registry.remover.deployed(call.caller.organization.uid)
    for (kind, repository, _version), names in running.items():
        found.setdefault((kind, repository), set()).update(names)
    return found


async def used_by(call: Call, given: Version) -> list[str]:
    """The deployments (`namespace/name`) that use a version, of any dialect."""
    running = await call.registry.remover.deployed(call.caller.organization.uid)
    return sorted(set(running.get(tag_of(given), ())))


async def _organization(call: Call) -> wire.Organization:
    own = call.caller.organization
    creators = await _found(call, [own.creator])
    return wire.organization(own, creators.get(own.creator))


async def _people(call: Call, uids: Iterable[str]) -> dict[str, wire.User]:
    return {uid: wire.user(user) for uid, user in (await _found(call, uids)).items()}


async def _found(call: Call, uids: Iterable[str]) -> dict[str, Any]:
    wanted = sorted({uid for uid in uids if uid})
    if not wanted:
        return {}
    own = call.caller.user
    if wanted == [own.uid]:
        return {own.uid: own}
    async with call.registry.database.read() as connection:
        return dict(await people_queries.names_of(connection, wanted))


def listed(page: Page[Any], items: Sequence[Any]) -> dict[str, Any]:
    """A page of a list."""
    return {"start": page.start, "count": page.count, "total": page.total, "items": items}
