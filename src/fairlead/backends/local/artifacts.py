"""From an artifact of a plan to a folder on this disk: who asks for it, what exactly is fetched, and the fetch itself.

Credentials of a transfer go to the transfer and nowhere else.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol, TypedDict

from fairlead.backends.base import Lookup
from fairlead.backends.local.environment import MissingReference, Resolver
from fairlead.errors import StorageError, StorageUnavailable
from fairlead.plan.model import Artifact, SecretEntry
from fairlead.storage import secret_entries
from fairlead.storage.credentials import CA_BUNDLES, from_secret, merged

_DEFAULT_CA_KEY = "cabundle.crt"


class _How(TypedDict):
    """What every kind of fetch is told."""

    env: Mapping[str, str]
    claim_folder: Callable[[str], Path | None]
    progress: Callable[[int, int], None]
    should_stop: Callable[[], bool]
    unpacks: bool
    scope: str


class Fetches(Protocol):
    """What is needed of `storage.Fetcher`."""

    def fetch(
        self,
        uri: str,
        *,
        env: Mapping[str, str] | None = None,
        claim_folder: Callable[[str], Path | None] = ...,
        progress: Callable[[int, int], None] = ...,
        should_stop: Callable[[], bool] = ...,
        unpacks: bool = ...,
        scope: str = ...,
    ) -> Path: ...

    def fetch_parts(
        self,
        parts: Sequence[tuple[str, str]],
        *,
        env: Mapping[str, str] | None = None,
        claim_folder: Callable[[str], Path | None] = ...,
        progress: Callable[[int, int], None] = ...,
        should_stop: Callable[[], bool] = ...,
        unpacks: bool = ...,
        scope: str = ...,
    ) -> Path: ...

    def pin(
        self,
        uri: str,
        *,
        env: Mapping[str, str] | None = None,
        claim_folder: Callable[[str], Path | None] = ...,
        progress: Callable[[int, int], None] = ...,
        should_stop: Callable[[], bool] = ...,
        unpacks: bool = ...,
        scope: str = ...,
        known_as: str = ...,
    ) -> Path: ...

    def unpin(self, uri: str, *, scope: str = ...) -> bool: ...
    def pins(self) -> set[tuple[str, str]]: ...


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Fetches artifacts with the credentials that a namespace has for them."""

    fetcher: Fetches
    lookup: Lookup

    async def fetch(
        self,
        namespace: str,
        artifact: Artifact,
        *,
        progress: Callable[[int, int], None],
        should_stop: Callable[[], bool],
    ) -> Path:
        """The artifact's folder. `progress` and `should_stop` are called from other threads. Raises as
        `storage.Fetcher` does, and MissingReference for a Secret or ConfigMap that must exist and does not."""
        uri, how = await self._resolved(namespace, artifact, progress, should_stop)
        try:
            if artifact.parts:
                parts = [(part.uri, _below(part.mount, artifact.mount)) for part in artifact.parts]
                return await asyncio.to_thread(self.fetcher.fetch_parts, parts, **how)
            return await asyncio.to_thread(self.fetcher.fetch, uri, **how)
        except (StorageError, StorageUnavailable) as error:
            if lacking := await self._lacking(namespace, artifact):
                error.args = (f"{error} ({lacking}, so it was asked without)",)
            raise

    async def pin(
        self,
        namespace: str,
        artifact: Artifact,
        *,
        scope: str,
        progress: Callable[[int, int], None],
        should_stop: Callable[[], bool],
    ) -> Path:
        """Fetch with the credentials of `namespace`, and keep until `unpin` for the namespace `scope` (empty: all)."""
        uri, how = await self._resolved(namespace, artifact, progress, should_stop)
        how["scope"] = scope
        return await asyncio.to_thread(partial(self.fetcher.pin, uri, **how, known_as=artifact.uri))

    async def unpin_all_but(self, wanted: Collection[tuple[str, str]]) -> None:
        """Let every pinned model go whose URI and scope are not among these."""
        await asyncio.to_thread(self._unpin_all_but, frozenset(wanted))

    def _unpin_all_but(self, wanted: frozenset[tuple[str, str]]) -> None:
        for uri, scope in self.fetcher.pins() - wanted:
            self.fetcher.unpin(uri, scope=scope)

    async def credentials(self, namespace: str, artifact: Artifact) -> dict[str, str]:
        """The variables of an access, for whoever asks a store himself. Raises as `fetch` does for references."""
        env = await self._credentials(namespace, artifact)
        if artifact.entry:
            env |= (await self._entry(namespace, artifact.entry))[1]
        return await self._with_authorities(namespace, env)

    async def _resolved(
        self,
        namespace: str,
        artifact: Artifact,
        progress: Callable[[int, int], None],
        should_stop: Callable[[], bool],
    ) -> tuple[str, _How]:
        uri, env = artifact.uri, await self._credentials(namespace, artifact)
        if artifact.entry:
            uri, stored = await self._entry(namespace, artifact.entry)
            env = env | stored
        env = await self._with_authorities(namespace, env)
        loop = asyncio.get_running_loop()

        def claim_folder(name: str) -> Path | None:
            return asyncio.run_coroutine_threadsafe(self.lookup.claim_folder(namespace, name), loop).result()

        return uri, _How(
            env=env,
            claim_folder=claim_folder,
            progress=progress,
            should_stop=should_stop,
            unpacks=artifact.unpacks,
            scope=namespace,
        )

    async def _credentials(self, namespace: str, artifact: Artifact) -> dict[str, str]:
        """A ServiceAccount's Secrets (or the one named in their place), the Secret of the transfer over them, the
        manifest's literals over both. A ServiceAccount that does not exist gives none, as in the original."""
        settings = dict(artifact.store_settings)
        found: list[dict[str, str]] = []
        for name in await self._secret_names(namespace, artifact):
            secret = await self.lookup.secret(namespace, name)
            if secret is not None:
                found.append(from_secret(secret.values, secret.annotations, settings))
            elif name == artifact.credential_secret:
                raise MissingReference(f"Secret {name!r} does not exist in namespace {namespace!r}")
        env = merged(found)
        resolver = Resolver(self.lookup, namespace)
        if artifact.env_secret:
            env |= await resolver.values("Secret", artifact.env_secret)
        return env | (await resolver.resolve(artifact.init_env, ())).values

    async def _lacking(self, namespace: str, artifact: Artifact) -> str:
        """Which credentials the manifest counts on and nobody has made; a store that refuses does not say so. The
        account `default` is what a pod has that names none."""
        account = artifact.service_account
        if artifact.credential_secret or not account or account == "default":
            return ""
        listed = await self.lookup.service_account_secrets(namespace, account)
        if listed is None:
            return f"the ServiceAccount {account!r} does not exist in namespace {namespace!r}"
        absent = [name for name in listed if await self.lookup.secret(namespace, name) is None]
        return f"the Secret {absent[0]!r} of the ServiceAccount {account!r} does not exist" if absent else ""

    async def _secret_names(self, namespace: str, artifact: Artifact) -> tuple[str, ...]:
        if artifact.credential_secret:
            return (artifact.credential_secret,)
        if not artifact.service_account:
            return ()
        return await self.lookup.service_account_secrets(namespace, artifact.service_account) or ()

    async def _entry(self, namespace: str, entry: SecretEntry) -> tuple[str, dict[str, str]]:
        secret = await self.lookup.secret(namespace, entry.secret)
        if secret is None and entry.key:
            raise MissingReference(
                f"can't read storage secret {entry.secret}: Secret {entry.secret!r} does not exist in namespace "
                f"{namespace!r}"
            )
        return secret_entries.resolve(
            secret.values if secret else {},
            secret=entry.secret,
            key=entry.key,
            path=entry.path,
            parameters=dict(entry.parameters),
        )

    async def _with_authorities(self, namespace: str, env: dict[str, str]) -> dict[str, str]:
        """CA bundles that lie in ConfigMaps, read."""
        for config_map, file, text in CA_BUNDLES:
            if name := env.get(config_map, ""):
                key = PurePosixPath(env.get(file, "") or _DEFAULT_CA_KEY).name
                contents = await Resolver(self.lookup, namespace).contents("ConfigMap", name)
                if key not in contents:
                    keys = ", ".join(sorted(contents))
                    raise MissingReference(f"ConfigMap {name!r} has no key {key!r}; its keys: {keys}")
                env = {variable: value for variable, value in env.items() if variable not in (config_map, file)}
                env[text] = contents[key].decode(errors="replace")
        return env


def _below(mount: str, parent: str) -> str:
    """Where a part lies in its artifact's folder. Raises StorageError when it lies elsewhere."""
    try:
        below = PurePosixPath(mount).relative_to(PurePosixPath(parent))
    except ValueError:
        raise StorageError(f"the path {mount} of a model is not below {parent}, where the model's folder is") from None
    return "" if below == PurePosixPath(".") else str(below)
