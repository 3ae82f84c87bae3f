"""What the gateway is told of who may ask."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from fairlead.backends.local.gateway.messages import Admit, KnownToken
from fairlead.control.doorkeeping import Doorkeeper, tokens_of
from fairlead.errors import NotReady
from fairlead.plan.access import OPEN, Access, AccessMode
from fairlead.protocols import jwts
from fairlead.registry.accounts.tokens import NewToken
from fairlead.registry.callers import Role
from support.accounts import Scene, accounts_at
from support.identity_provider import signer

pytestmark = pytest.mark.anyio

BY_TOKEN = Access(mode=AccessMode.TOKEN)


class Gateway:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Admit] = []
        self.is_gone = False

    async def admit(self, admitted: Admit) -> None:
        if self.is_gone:
            raise NotReady("no gateway")
        self.told.append(admitted)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with accounts_at(tmp_path) as opened:
        yield opened


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


async def test_tokens_that_may_ask_are_told_and_no_others(scene: Scene) -> None:
    await scene.person("ada", Role.GUEST)
    await scene.person("bob")
    await scene.person("carol")
    good = await scene.token("ada", scopes=("read_cluster",), namespaces=("one",), name="good", lasts_s=60.0)
    whole = await scene.token("admin", name="whole")
    await scene.token("ada", scopes=("write_organization",), name="narrow")
    await scene.token("bob", name="disabled")
    await scene.token("carol", name="no-member")
    await scene.accounts.people.set_disabled(await scene.owner(), "bob", is_disabled=True)
    await scene.accounts.people.remove_member(await scene.owner(), "carol")
    known = tokens_of(scene.database, ("owners", ""), scene.clock)

    told = await known()
    scene.clock.now += 60.0
    later = await known()

    assert {token.digest for token in told} == {digest("owners"), digest(good), digest(whole)}
    (bounded,) = [token for token in told if token.digest == digest(good)]
    assert (bounded.namespaces, bounded.expires_at) == (("one",), scene.clock.now)
    assert {token.digest for token in later} == {digest("owners"), digest(whole)}


async def test_tokens_of_another_organization_open_nothing(scene: Scene) -> None:
    everybody, owner = scene.accounts.people, await scene.owner()
    await scene.person("eve")
    other = replace(owner, organization=await everybody.create_organization(owner, "other", ""))
    await everybody.set_roles(other, ["eve"], Role.ADMIN)
    _, token = await scene.accounts.tokens.create(other, NewToken(name="laptop"), user="eve")
    own = await scene.token("eve")

    told = await tokens_of(scene.database, (), scene.clock)()

    assert {each.digest for each in told} == {digest(own)}
    assert digest(token) != digest(own)


async def test_the_gateway_hears_of_changes_and_of_nothing_while_nobody_asks(scene: Scene) -> None:
    gateway, wanted = Gateway(), [OPEN]
    known = tokens_of(scene.database, (), scene.clock)
    keeper = Doorkeeper(gateway, lambda: wanted, known, scene.clock)
    await keeper.tell()
    assert gateway.told == []

    wanted.append(BY_TOKEN)
    await keeper.tell()
    token = await scene.token("admin")
    await keeper.tell()
    await keeper.tell()
    (owned,) = await scene.accounts.tokens.list(await scene.owner())
    await scene.accounts.tokens.revoke(await scene.owner(), owned.token.uid)
    await keeper.tell()

    one = Admit((KnownToken(digest=digest(token)),))
    assert gateway.told == [Admit(), one, Admit()]


@pytest.mark.slow
async def test_keys_of_issuers_are_fetched_and_told_and_one_that_is_gone_keeps_no_other_waiting(scene: Scene) -> None:
    gateway = Gateway()
    with signer() as issuer:
        issuer.keys.append({"kty": "oct", "k": "c2VjcmV0", "kid": "shared"})
        wanted = [
            Access(mode=AccessMode.JWT, issuer=url, audience="iris") for url in ("http://127.0.0.1:9", issuer.url)
        ]
        keeper = Doorkeeper(gateway, lambda: wanted, tokens_of(scene.database, (), scene.clock), scene.clock)
        running = asyncio.create_task(keeper.run())
        async with asyncio.timeout(10):
            while not (gateway.told and gateway.told[-1].issuers):
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    (known,) = gateway.told[-1].issuers
    assert (known.issuer, gateway.told[-1].tokens) == (issuer.url, ())
    assert [key.key_id for key in jwts.read_keys(json.loads(known.keys))] == ["one"], "shared secrets sign nothing here"


async def test_a_gateway_that_may_have_forgotten_is_told_again(scene: Scene) -> None:
    gateway = Gateway()
    keeper = Doorkeeper(gateway, lambda: [BY_TOKEN], tokens_of(scene.database, (), scene.clock), scene.clock)
    await keeper.tell()
    scene.clock.now += 15.0
    await keeper.tell()

    gateway.is_gone = True
    scene.clock.now += 15.0
    with pytest.raises(NotReady):
        await keeper.tell()

    assert gateway.told == [Admit(), Admit()]
