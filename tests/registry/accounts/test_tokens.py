"""API tokens: shown once, kept as a digest, bounded by whoever makes them, and gone at once."""

import pytest

from fairlead.errors import AlreadyExists, BadRequest, Forbidden, NotFound, Unauthorized
from fairlead.registry.accounts.people import NewUser
from fairlead.registry.accounts.tokens import NewToken
from fairlead.registry.callers import Role
from fairlead.registry.db import events, people
from fairlead.registry.db.events import EventFilter
from support.accounts import PASSWORD, Scene

pytestmark = pytest.mark.anyio


async def test_no_secret_can_be_read_from_the_database(scene: Scene) -> None:
    await scene.person("ada")
    secrets = [
        await scene.token("ada"),
        (await scene.accounts.entrance.log_in("ada", PASSWORD, "192.0.2.1")).secret,
        await scene.accounts.codes.issue(),
        PASSWORD,
    ]
    await scene.caller(secrets[0])

    files = [path.read_bytes() for path in scene.path.parent.iterdir()]

    assert len(files) >= 2, "the write-ahead log counts too"
    for secret in secrets:
        assert not any(secret.encode() in content or secret[4:].encode() in content for content in files)


async def test_a_token_is_its_user(scene: Scene) -> None:
    await scene.person("ada")
    caller = await scene.caller(
        await scene.token("ada", scopes=("read_cluster",), namespaces=("one", "two")), x_bentoml_version="1.4.39"
    )

    assert (caller.user.name, caller.user.email, caller.token_name) == ("ada", "ada@example.com", "laptop")
    assert (caller.scopes, caller.namespaces) == (("read_cluster",), ("one", "two"))
    assert (caller.role, caller.organization.name) == (Role.DEVELOPER, "default")
    assert (caller.client_version, caller.address) == ((1, 4, 39), "192.0.2.1")


async def test_an_expired_token_is_refused_in_yatais_words(scene: Scene) -> None:
    token = await scene.token("admin", lasts_s=60.0)
    await scene.caller(token)

    scene.clock.now += 60.0

    with pytest.raises(Unauthorized, match=r"^the api token is expired$"):
        await scene.caller(token)


async def test_a_revoked_token_is_out_at_once(scene: Scene) -> None:
    owner, token = await scene.owner(), await scene.token("admin")
    await scene.caller(token)
    (owned,) = await scene.accounts.tokens.list(owner)

    await scene.accounts.tokens.revoke(owner, owned.token.uid)

    with pytest.raises(Unauthorized, match=r"^get api token: record not found$"):
        await scene.caller(token)


async def test_a_disabled_user_is_out_at_once_and_may_come_back(scene: Scene) -> None:
    await scene.person("ada")
    token = await scene.token("ada")
    await scene.accounts.people.set_disabled(await scene.owner(), "ada", is_disabled=True)

    with pytest.raises(Unauthorized):
        await scene.caller(token)

    await scene.accounts.people.set_disabled(await scene.owner(), "ada", is_disabled=False)
    assert (await scene.caller(token)).user.name == "ada"


async def test_use_is_noted_at_most_once_a_minute(scene: Scene) -> None:
    token = await scene.token("admin")

    async def used() -> tuple[float | None, str]:
        (owned,) = await scene.accounts.tokens.list(await scene.owner())
        return owned.token.last_used_at, owned.token.last_used_from

    start = scene.clock.now
    await scene.caller(token)
    scene.clock.now += 59
    await scene.caller(token)
    assert await used() == (start, "192.0.2.1")

    scene.clock.now += 2
    await scene.caller(token)
    assert await used() == (start + 61, "192.0.2.1")


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (NewToken(name="Laptop"), "name: a DNS-1035 label"),
        (NewToken(name="1laptop"), "name: a DNS-1035 label"),
        (NewToken(name="a" * 64), "no more than 63"),
        (NewToken(name="a", scopes=()), "scopes: there must be one"),
        (NewToken(name="a", scopes=("everything",)), "scopes: 'everything' is none; accepted are api, read_org"),
        (NewToken(name="a", namespaces=("Not/One",)), "namespace: a DNS-1035 label"),
        (NewToken(name="a", expires_at=1.0), "must be in the future"),
    ],
)
async def test_a_token_that_makes_no_sense_is_refused(scene: Scene, new: NewToken, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        await scene.accounts.tokens.create(await scene.owner(), new)


async def test_one_user_has_one_token_of_a_name(scene: Scene) -> None:
    await scene.person("ada")
    await scene.token("ada", name="laptop")
    await scene.token("admin", name="laptop")

    with pytest.raises(AlreadyExists):
        await scene.token("ada", name="laptop")


async def test_a_narrow_token_makes_none_that_is_wider(scene: Scene) -> None:
    await scene.person("ada")
    bounded = await scene.caller(await scene.token("ada", namespaces=("one",), lasts_s=60.0))
    reader = await scene.caller(await scene.token("ada", name="reader", scopes=("read_organization",)))
    ends = scene.clock.now + 60.0

    async def make(caller: object, **values: object) -> None:
        new = NewToken(name="more", **values)  # type: ignore[arg-type]
        await scene.accounts.tokens.create(caller, new)  # type: ignore[arg-type]

    for caller, values in (
        (reader, {"scopes": ("read_organization",)}),
        (bounded, {"expires_at": ends}),
        (bounded, {"namespaces": ("one", "two"), "expires_at": ends}),
        (bounded, {"namespaces": ("one",)}),
        (bounded, {"namespaces": ("one",), "expires_at": ends + 1}),
    ):
        with pytest.raises(Forbidden):
            await make(caller, **values)
    await make(bounded, namespaces=("one",), expires_at=ends)


async def test_a_token_with_namespaces_makes_nobody_who_reaches_more(scene: Scene) -> None:
    await scene.person("ada", Role.ADMIN, is_admin=True)
    bounded, everybody = await scene.caller(await scene.token("ada", namespaces=("one",))), scene.accounts.people
    new = NewUser(name="eve", email="eve@example.com", password=PASSWORD, role=Role.ADMIN)

    for asked in (
        everybody.create(bounded, new),
        everybody.set_password(bounded, "ada", PASSWORD),
        everybody.set_roles(bounded, ["ada"], Role.GUEST),
        everybody.set_roles(bounded, ["ada"], Role.ADMIN, "default"),
        everybody.remove_member(bounded, "ada", "default"),
        everybody.create_organization(bounded, "mine", ""),
    ):
        with pytest.raises(Forbidden, match="reaches only the namespaces one"):
            await asked


async def test_nobody_sees_or_makes_tokens_of_others_but_who_may_do_everything(scene: Scene) -> None:
    await scene.person("ada", Role.ADMIN)
    await scene.token("admin")
    ada = await scene.caller(await scene.token("ada", name="hers"))
    (other,) = [
        owned for owned in await scene.accounts.tokens.list(await scene.owner()) if owned.token.name == "laptop"
    ]

    with pytest.raises(NotFound):
        await scene.accounts.tokens.revoke(ada, other.token.uid)
    with pytest.raises(Forbidden):
        await scene.accounts.tokens.create(ada, NewToken(name="mine"), user="admin")
    assert [owned.user.name for owned in await scene.accounts.tokens.list(ada, everybodys=True)] == ["ada"]


async def test_every_change_has_its_event(scene: Scene) -> None:
    owner = await scene.owner()
    await scene.person("ada")
    scene.clock.now += 1
    await scene.token("ada")
    (owned,) = await scene.accounts.tokens.list(owner, everybodys=True)
    scene.clock.now += 1
    await scene.accounts.tokens.update(owner, owned.token.uid, description="the old one")
    scene.clock.now += 1
    await scene.accounts.tokens.revoke(owner, owned.token.uid)

    told = await scene.accounts.activity.events(owner, EventFilter(organization=""), oldest_first=True)

    seen = [(each.event.resource_type, each.event.operation_name, each.event.resource_name) for each in told.items]
    assert seen == [
        ("user", "created", "ada"),
        ("api_token", "created", "laptop"),
        ("api_token", "updated", "laptop"),
        ("api_token", "deleted", "laptop"),
    ]
    assert {each.creator.name for each in told.items if each.creator} == {"admin"}
    assert await scene.accounts.activity.operation_names(owner, "api_token") == ["created", "deleted", "updated"]


async def test_events_are_found_by_what_who_and_when(scene: Scene) -> None:
    owner, start = await scene.owner(), scene.clock.now
    await scene.person("ada")
    scene.clock.now += 100
    await scene.token("ada")

    async def found(**wanted: object) -> list[str]:
        async with scene.database.read() as connection:
            asked = EventFilter(organization=owner.organization.uid, **wanted)  # type: ignore[arg-type]
            return [event.resource_name for event in (await events.list_events(connection, asked))[1]]

    assert await found() == ["laptop", "ada"]
    assert await found(resource_types=("user",)) == ["ada"]
    assert await found(operation_names=("created",), search="lap") == ["laptop"]
    assert await found(creators=("ada",)) == []
    assert await found(creators=("admin",), since=start + 1) == ["laptop"]
    assert await found(until=start + 1) == ["ada"]
    assert await found(statuses=("failed",)) == []


async def test_a_change_that_fails_leaves_no_event(scene: Scene) -> None:
    owner = await scene.owner()

    with pytest.raises(NotFound):
        await scene.accounts.people.set_roles(owner, ["nobody"], Role.ADMIN)

    assert (await scene.accounts.activity.events(owner, EventFilter(organization=""))).total == 0
    async with scene.database.read() as connection:
        assert await people.count_users(connection) == 1
