"""Several replicas, one Secret: they agree on a certificate, and none shows one that an API server does not trust."""

import asyncio
import base64
import copy
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fairlead.backends.kubernetes.webhooks.certificates import LIFETIME, Certificates, made
from fairlead.backends.kubernetes.webhooks.keeping import LOOK_EVERY_S, LOOK_SOON_S, CertificateKeeper
from fairlead.errors import Conflict, NotReady

NAMES = ("fairlead-webhook.fairlead-system.svc",)
SECRET = ("fairlead-system", "fairlead-webhook-certificate")
START = datetime(2026, 1, 1, tzinfo=UTC)


class Store:
    """A cluster's Secret and two configurations, with the API's rule for updates."""

    def __init__(self) -> None:
        self.secret: dict[str, Any] | None = None
        self.writes = 0
        self.hooks: dict[str, list[dict[str, Any]]] = {
            "validating": [{"name": "a", "clientConfig": {}}, {"name": "b", "clientConfig": {}}],
            "mutating": [{"name": "c", "clientConfig": {}}],
        }

    async def read(self) -> dict[str, Any] | None:
        await asyncio.sleep(0)
        return copy.deepcopy(self.secret)

    async def write(self, secret: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        stored = (self.secret or {}).get("metadata", {}).get("resourceVersion")
        if secret["metadata"].get("resourceVersion") != stored:
            raise Conflict("the object has been modified")
        self.writes += 1
        metadata = {**secret["metadata"], "resourceVersion": str(self.writes)}
        self.secret = copy.deepcopy({**secret, "metadata": metadata})

    async def configurations(self) -> Sequence[dict[str, Any]]:
        return [{"metadata": {"name": name}, "webhooks": copy.deepcopy(hooks)} for name, hooks in self.hooks.items()]

    async def convert(self, authorities: str) -> bool:
        self.converting = authorities
        return True

    async def trust(self, configuration: dict[str, Any], authorities: str) -> None:
        for hook in self.hooks[configuration["metadata"]["name"]]:
            hook["clientConfig"]["caBundle"] = authorities

    @property
    def trusted(self) -> set[str]:
        return {hook["clientConfig"].get("caBundle", "") for hooks in self.hooks.values() for hook in hooks}


class Replica:
    """One process with its own clock and its own idea of what it shows."""

    def __init__(self, store: Store, *, is_ours: bool = True) -> None:
        self.now = START
        self.shown: list[Certificates] = []
        self.store = store
        self.keeper = CertificateKeeper(
            store=store, names=NAMES, secret=SECRET, show=self._show, clock=lambda: self.now, is_ours=is_ours
        )

    def _show(self, found: Certificates) -> None:
        # What is shown is trusted everywhere, now.
        if self.keeper.is_ours:
            for bundle in self.store.trusted:
                assert found.authorities.split(b"-----END")[0] in base64.b64decode(bundle)
        self.shown.append(found)


def test_the_first_look_makes_a_certificate_and_has_it_trusted() -> None:
    store = Store()
    replica = Replica(store)

    asyncio.run(replica.keeper.look())

    assert replica.keeper.is_serving
    assert store.secret is not None
    assert store.secret["metadata"]["name"] == SECRET[1]
    assert store.trusted == {base64.b64encode(replica.shown[0].authorities).decode()}


def test_replicas_that_start_together_agree() -> None:
    store = Store()
    replicas = [Replica(store) for _ in range(3)]

    async def start() -> None:
        await asyncio.gather(*(replica.keeper.look() for replica in replicas))

    asyncio.run(start())

    assert store.writes == 1
    assert {tuple(replica.shown) for replica in replicas} == {tuple(replicas[0].shown)}


def test_a_secret_that_an_installation_left_empty_is_filled_and_keeps_its_labels() -> None:
    store = Store()
    metadata = {"name": SECRET[1], "namespace": SECRET[0], "labels": {"a": "b"}, "resourceVersion": "0"}
    store.secret = {"kind": "Secret", "metadata": metadata}

    asyncio.run(Replica(store).keeper.look())

    assert set(store.secret["data"]) == {"tls.crt", "tls.key", "ca.crt"}
    assert store.secret["metadata"]["labels"] == {"a": "b"}


def test_nothing_is_written_while_all_is_well() -> None:
    store = Store()
    replica = Replica(store)
    for day in range(200):
        replica.now = START + timedelta(days=day)
        asyncio.run(replica.keeper.look())

    assert store.writes == 1
    assert len(replica.shown) == 1


def test_it_is_renewed_before_its_end_and_others_follow() -> None:
    store = Store()
    first, second = Replica(store), Replica(store)
    asyncio.run(first.keeper.look())
    asyncio.run(second.keeper.look())

    first.now = second.now = START + LIFETIME * 0.7
    asyncio.run(first.keeper.look())
    old = base64.b64decode(next(iter(store.trusted)))
    assert second.shown[-1].authorities in old
    asyncio.run(second.keeper.look())

    assert store.writes == 2
    assert first.shown[-1] == second.shown[-1] != first.shown[0]


def test_a_bundle_that_somebody_emptied_is_there_again_at_the_next_look() -> None:
    store = Store()
    replica = Replica(store)
    asyncio.run(replica.keeper.look())
    for hook in store.hooks["validating"]:
        hook["clientConfig"].pop("caBundle")

    asyncio.run(replica.keeper.look())

    assert len(store.trusted) == 1
    assert store.writes == 1


@pytest.mark.parametrize("data", [{}, {"tls.crt": "?"}, {"tls.crt": "eA==", "tls.key": "eA==", "ca.crt": "eA=="}])
def test_a_broken_secret_is_replaced(data: dict[str, str]) -> None:
    store = Store()
    store.secret = {"metadata": {"name": SECRET[1], "resourceVersion": "7"}, "data": data}
    replica = Replica(store)

    asyncio.run(replica.keeper.look())

    assert store.writes == 1
    assert replica.keeper.is_serving


def test_what_cert_manager_keeps_is_only_read() -> None:
    store = Store()
    replica = Replica(store, is_ours=False)
    with pytest.raises(NotReady, match="has none yet"):
        asyncio.run(replica.keeper.look())

    found = made(NAMES, now=START)
    pairs = (("tls.crt", found.certificate), ("tls.key", found.key), ("ca.crt", found.authorities))
    store.secret = {"data": {key: base64.b64encode(value).decode() for key, value in pairs}}
    asyncio.run(replica.keeper.look())

    assert replica.shown == [found]
    assert (store.writes, store.trusted) == (0, {""})


def test_it_is_looked_for_soon_while_a_configuration_is_missing() -> None:
    store = Store()
    hooks, store.hooks = store.hooks, {}
    replica, pauses = Replica(store), []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        store.hooks = hooks
        if len(pauses) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(replica.keeper.run(pause))

    assert pauses == [LOOK_SOON_S, LOOK_EVERY_S]


def test_an_api_server_that_does_not_answer_is_asked_again() -> None:
    class Flaky(Store):
        is_down = True

        async def read(self) -> dict[str, Any] | None:
            if self.is_down:
                raise NotReady("connection refused")
            return await super().read()

    store = Flaky()
    replica = Replica(store)

    async def pause(_seconds: float) -> None:
        if replica.keeper.is_serving:
            raise asyncio.CancelledError
        store.is_down = False

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(replica.keeper.run(pause))

    assert len(replica.shown) == 1
