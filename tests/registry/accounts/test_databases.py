"""What accounts ask of SQLite and of a real PostgreSQL alike, with several processes at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from fairlead.control.doorkeeping import tokens_of
from fairlead.errors import AlreadyExists, Conflict, NotFound
from fairlead.registry.accounts.config import AccountsConfig
from fairlead.registry.accounts.people import NewUser
from fairlead.registry.accounts.service import Accounts
from fairlead.registry.accounts.sessions import COOKIE
from fairlead.registry.accounts.tokens import NewToken
from fairlead.registry.callers import Role
from fairlead.registry.db.engine import Database
from fairlead.registry.db.events import EventFilter
from support.accounts import CHEAP, PASSWORD, SECRET, Clock

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def both(database_url: str) -> AsyncIterator[tuple[Accounts, Accounts]]:
    """Two control processes that start on an empty database at the same moment."""
    clock = Clock()
    async with AsyncExitStack() as stack:
        databases = await asyncio.gather(*(Database.open(database_url) for _ in range(2)))
        for database in databases:
            stack.push_async_callback(database.close)
        opening = (
            Accounts.open(database, AccountsConfig(), SECRET, clock=clock, hasher=CHEAP) for database in databases
        )
        one, other = await asyncio.gather(*(stack.enter_async_context(each) for each in opening))
        yield one, other


async def test_two_processes_share_people_and_tokens(both: tuple[Accounts, Accounts]) -> None:
    one, other = both
    owner = await one.people.owner()
    assert await other.people.owner() == owner
    made = await asyncio.gather(
        *(each.people.create(owner, NewUser(name="ada", password=PASSWORD, email="a@b")) for each in both),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in made) == ["AlreadyExists", "User"]

    owned, secret = await one.tokens.create(owner, NewToken(name="ci", namespaces=("x",)), user="ada")
    caller = await other.authenticator.identify({"x-yatai-api-token": secret}, {}, {}, "192.0.2.1")
    (asked,) = await tokens_of(one.tokens._database, (), one.clock)()
    await other.tokens.revoke(owner, owned.token.uid)

    assert (caller.user.name, asked.namespaces) == ("ada", ("x",))
    with pytest.raises(NotFound):
        await one.tokens.get(owner, owned.token.uid)
    listed = await one.activity.events(owner, EventFilter(organization="", search="ci", resource_types=("api_token",)))
    assert {each.event.operation_name for each in listed.items} == {"deleted", "created"}


async def test_a_code_is_redeemed_once_however_many_ask(both: tuple[Accounts, Accounts]) -> None:
    one, other = both
    await one.people.create(await one.people.owner(), NewUser(name="ada", password=PASSWORD))
    secret = (await one.entrance.log_in("ada", PASSWORD, "192.0.2.1")).secret
    ada = await other.authenticator.identify({}, {COOKIE: secret}, {}, "192.0.2.1")
    code = await one.codes.issue()
    await other.codes.approve(ada, code)

    given = await asyncio.gather(*(each.codes.redeem(code, "") for each in both * 3), return_exceptions=True)

    assert sorted(type(each).__name__ for each in given) == ["NotFound"] * 5 + ["str"]


async def test_two_who_shut_each_other_out_do_not_both(both: tuple[Accounts, Accounts]) -> None:
    one, other = both
    owner = await one.people.owner()
    await one.people.create(owner, NewUser(name="boss", is_admin=True))

    done = await asyncio.gather(
        one.people.set_disabled(owner, "boss", is_disabled=True),
        other.people.set_superuser(owner, "admin", is_admin=False),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in done) == ["Conflict", "User"]
    assert any(isinstance(each, Conflict) for each in done)


async def test_a_role_given_twice_at_once_is_one_role(both: tuple[Accounts, Accounts]) -> None:
    one, other = both
    owner = await one.people.owner()
    await one.people.create(owner, NewUser(name="ada"))
    await one.people.remove_member(owner, "ada")

    done = await asyncio.gather(
        *(each.people.set_roles(owner, ["ada"], Role.GUEST) for each in both), return_exceptions=True
    )

    assert all(not isinstance(each, Exception) or isinstance(each, AlreadyExists) for each in done)
    roles = [member.role for member in await other.people.members(owner) if member.user.name == "ada"]
    assert roles == [Role.GUEST]
