"""Gets everything a revision needs before a replica of it can start: its models, its environment, its claims, and
the libraries that a model asks for and that are not here.

A model that several components name is fetched once. Failures come out as `PreparationFailed` with the unit and a
sentence; whether and when to try again is the caller's business.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from fairlead.backends.base import Lookup
from fairlead.backends.local.artifacts import Artifacts, Fetches
from fairlead.backends.local.environment import MissingReference, Resolved, Resolver, worth_hiding
from fairlead.backends.local.furnishing import BENTO, Furnisher
from fairlead.errors import FairleadError, LoadError, Retryable
from fairlead.plan.model import Artifact, Component, Owner, Revision, Unit
from fairlead.plan.status import Cause, Progress
from fairlead.runtimes.bento.description import describe
from fairlead.runtimes.bento.values import Description


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is needed to start replicas: per unit its folder and its variables; volumes by `kind:name` for
    containers (folders of claims, contents of Secrets and ConfigMaps); init containers' variables by
    `unit/container`; the Python of units that have libraries of their own; what the bentos of units say of themselves;
    what the stores of payload logs are entered with; and the secret values among all of these."""

    folders: Mapping[str, Path] = field(default_factory=dict)
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    claims: Mapping[str, Path] = field(default_factory=dict)
    contents: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    pythons: Mapping[str, Path] = field(default_factory=dict)
    bentos: Mapping[str, Description] = field(default_factory=dict)
    log_env: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()


class PreparationFailed(FairleadError):
    """Why a revision cannot start. `may_pass`: it may well be different soon, without anybody changing the plan."""

    def __init__(self, cause: Cause, *, may_pass: bool, is_reference: bool) -> None:
        super().__init__(cause.message)
        self.cause, self.may_pass, self.is_reference = cause, may_pass, is_reference


class Listener(Protocol):
    """Is told how a transfer goes, or the building of a unit's libraries (`None` at its end). Called on the loop."""

    def started(self, uri: str) -> None: ...
    def progressed(self, progress: Progress) -> None: ...
    def finished(self, uri: str) -> None: ...
    def building(self, unit: str, line: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class _Key:
    """Transfers that are the same: one of them is enough."""

    namespace: str
    artifact: Artifact


@dataclass(slots=True)
class _Transfer:
    task: asyncio.Task[Path]
    listeners: list[Listener]
    done: tuple[int, int] = (0, 0)
    is_unwanted: bool = False


class Preparer:
    """Prepares revisions. Use inside a running loop; `close` ends transfers under way."""

    def __init__(self, fetcher: Fetches, lookup: Lookup, furnisher: Furnisher | None = None) -> None:
        self._artifacts, self._lookup, self._furnisher = Artifacts(fetcher, lookup), lookup, furnisher
        self._transfers: dict[_Key, _Transfer] = {}

    async def prepare(
        self, owner: Owner, component: Component, listener: Listener, *, folders: Mapping[str, Path]
    ) -> Prepared:
        """`folders` are the models that an earlier call already has; they are used as they are while they exist."""
        resolver = Resolver(self._lookup, owner.namespace)
        units = component.revision.units
        env: dict[str, Mapping[str, str]] = {}
        secrets: set[str] = set()
        claims: dict[str, Path] = {}
        contents: dict[str, Mapping[str, bytes]] = {}
        for unit in units:
            with _Naming(unit):
                _require_code(unit)
                for key, resolved in (await _environments(resolver, unit)).items():
                    env[key] = resolved.values
                    secrets |= resolved.secrets
                await self._volumes(resolver, owner.namespace, unit, claims, contents, secrets)
        log_env: dict[str, str] = {}
        for logger in component.revision.loggers:
            if logger.store is not None:
                with _Naming(units[0]):
                    log_env |= await self._artifacts.credentials(owner.namespace, logger.store.access)
        secrets |= worth_hiding(log_env.values())
        found = await self._folders(owner, units, listener, folders)
        bentos: dict[str, Description] = {}
        for unit in (one for one in units if one.runtime == BENTO):
            bentos[unit.name] = await self.described(unit, found.get(unit.name))
        pythons = await self._pythons(component.revision, found, listener)
        return Prepared(
            folders=found,
            env=env,
            claims=claims,
            contents=contents,
            pythons=pythons,
            bentos=bentos,
            log_env=log_env,
            secrets=frozenset(secrets),
        )

    async def fetch(self, owner: Owner, unit: Unit, listener: Listener) -> Path:
        """The folder of one unit's model. Raises `PreparationFailed`."""
        return await self._folder(owner, unit, listener)

    async def pin(self, owner: Owner, unit: Unit) -> Path:
        """Keep the model of a unit, which `fetch` has brought, for whoever in the owner's namespace (or anywhere, when
        it has none) names the same URI or a path below it. Raises `PreparationFailed`."""
        assert unit.artifact is not None
        with _Naming(unit):
            return await self._artifacts.pin(
                owner.namespace,
                unit.artifact,
                scope=owner.namespace,
                progress=lambda _done, _total: None,
                should_stop=lambda: False,
            )

    async def described(self, unit: Unit, folder: Path | None) -> Description:
        """What the bento in its unit's folder says of itself. Raises `PreparationFailed`."""
        with _Naming(unit):
            if folder is None:
                raise LoadError("a bento has to be fetched from somewhere, and its unit names no place")
            return await asyncio.to_thread(describe, folder)

    async def furnished(self, unit: Unit, folder: Path, listener: Listener) -> Path | None:
        """The Python of a bento's environment, built if it is not there. Raises `PreparationFailed`."""
        if self._furnisher is None:
            return None
        with _Naming(unit):
            return await self._furnisher.python_of_bento(folder, partial(listener.building, str(unit.name)))

    async def unpin_all_but(self, wanted: Collection[tuple[str, str]]) -> None:
        """Keep no other models than those of these URIs, each for its namespace."""
        await self._artifacts.unpin_all_but(wanted)

    async def close(self) -> None:
        """Stop all transfers; a thread ends at its next look at `should_stop`."""
        for transfer in self._transfers.values():
            transfer.is_unwanted = True
        await asyncio.gather(*(transfer.task for transfer in self._transfers.values()), return_exceptions=True)

    async def _pythons(self, revision: Revision, folders: Mapping[str, Path], listener: Listener) -> dict[str, Path]:
        """One after the other: each takes all the cores and the network that there are."""
        found: dict[str, Path] = {}
        if self._furnisher is None:
            return found
        for unit in revision.units:
            with _Naming(unit):
                tell = partial(listener.building, str(unit.name))
                python = await self._furnisher.python_of(unit, revision, folders.get(unit.name), tell)
            if python is not None:
                found[unit.name] = python
        return found

    async def _folders(
        self, owner: Owner, units: Iterable[Unit], listener: Listener, known: Mapping[str, Path]
    ) -> dict[str, Path]:
        wanted = [unit for unit in units if unit.artifact is not None and not writes_its_own_model(unit)]
        found: dict[str, Path] = {}
        for unit in wanted:
            if unit.name in known and known[unit.name].is_dir():
                found[unit.name] = known[unit.name]
        missing = [unit for unit in wanted if unit.name not in found]
        results = await asyncio.gather(
            *(self._folder(owner, unit, listener) for unit in missing), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        fetched = [result for result in results if isinstance(result, Path)]
        found.update((unit.name, folder) for unit, folder in zip(missing, fetched, strict=True))
        return found

    async def _folder(self, owner: Owner, unit: Unit, listener: Listener) -> Path:
        artifact = unit.artifact
        assert artifact is not None
        with _Naming(unit):
            key = _Key(owner.namespace, artifact)
            transfer = self._transfers.get(key)
            if transfer is None:
                transfer = self._transfers[key] = _Transfer(
                    asyncio.create_task(self._fetch(key), name=f"fetch {artifact.uri}"), []
                )
                transfer.task.add_done_callback(lambda _: self._transfers.pop(key, None))
            transfer.listeners.append(listener)
            listener.started(artifact.uri)
            try:
                # Shielded: the transfer belongs to everybody who waits for it.
                folder = await asyncio.shield(transfer.task)
            finally:
                transfer.listeners.remove(listener)
                transfer.is_unwanted = transfer.is_unwanted or not transfer.listeners
            listener.finished(artifact.uri)
            return folder

    async def _fetch(self, key: _Key) -> Path:
        loop = asyncio.get_running_loop()

        def progress(done: int, total: int) -> None:
            loop.call_soon_threadsafe(self._progressed, key, done, total)

        def should_stop() -> bool:
            transfer = self._transfers.get(key)
            return transfer is None or transfer.is_unwanted

        return await self._artifacts.fetch(key.namespace, key.artifact, progress=progress, should_stop=should_stop)

    def _progressed(self, key: _Key, done: int, total: int) -> None:
        transfer = self._transfers.get(key)
        for listener in transfer.listeners if transfer else ():
            listener.progressed(Progress(what=key.artifact.uri, done_bytes=done, total_bytes=total))

    async def _volumes(
        self,
        resolver: Resolver,
        namespace: str,
        unit: Unit,
        claims: dict[str, Path],
        contents: dict[str, Mapping[str, bytes]],
        secrets: set[str],
    ) -> None:
        for source in sorted(mount_sources(unit)):
            kind, _, name = source.partition(":")
            if kind == "claim":
                folder = await self._lookup.claim_folder(namespace, name)
                if folder is None:
                    raise MissingReference(f"PersistentVolumeClaim {name!r} does not exist in namespace {namespace!r}")
                claims[source] = folder
            elif kind == "secret":
                contents[source] = await resolver.contents("Secret", name)
                secrets |= worth_hiding((await resolver.values("Secret", name)).values())
            elif kind == "config":
                contents[source] = await resolver.contents("ConfigMap", name)


def _require_code(unit: Unit) -> None:
    """The folder of a user's class or command is the owner's own and not fetched, so it must be there."""
    if unit.code is not None and unit.code.path and not Path(unit.code.path).is_dir():
        image = f" for the image {unit.image}" if unit.image else ""
        raise LoadError(f"the folder {unit.code.path}, which the configuration names{image}, does not exist")


def mount_sources(unit: Unit) -> set[str]:
    """Every volume that a unit's containers mount."""
    if unit.container is None:
        return set()
    mounts = [*unit.container.mounts, *(mount for init in unit.container.init for mount in init.mounts)]
    return {mount.source for mount in mounts}


def writes_its_own_model(unit: Unit) -> bool:
    """Whether an init container of the manifest's fills the model's folder, so that there is nothing to fetch."""
    inits = unit.container.init if unit.container else ()
    return any(mount.source == "artifact" and not mount.read_only for init in inits for mount in init.mounts)


async def _environments(resolver: Resolver, unit: Unit) -> dict[str, Resolved]:
    found = {str(unit.name): await resolver.resolve(unit.env, unit.env_from)}
    for init in unit.container.init if unit.container else ():
        found[f"{unit.name}/{init.name}"] = await resolver.resolve(init.env, init.env_from)
    return found


class _Naming:
    """Says which unit an error is about, and in which way it may pass."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, PreparationFailed):
            return
        reason = error.reason if isinstance(error, FairleadError) else type(error).__name__
        cause = Cause(unit=self._unit.name, reason=reason, message=str(error) or reason)
        is_reference = isinstance(error, MissingReference)
        may_pass = is_reference or isinstance(error, Retryable)
        raise PreparationFailed(cause, may_pass=may_pass, is_reference=is_reference) from error
