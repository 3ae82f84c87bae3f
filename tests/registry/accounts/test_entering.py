"""Coming in: the set-up, registration, passwords, sessions, guessing, and logins of terminals."""

from dataclasses import replace
from pathlib import Path

import pytest

from fairlead.errors import BadRequest, Conflict, Forbidden, NotFound, TooManyRequests, Unauthorized
from fairlead.registry.accounts.config import AccountsConfig
from fairlead.registry.accounts.people import NewUser
from fairlead.registry.accounts.sessions import COOKIE, LIFETIME_S
from fairlead.registry.callers import Caller, Role
from fairlead.registry.db.events import EventFilter
from support.accounts import PASSWORD, Scene, accounts_at

from .conftest import COMPONENT_TOKEN, OWNER_TOKEN, SETUP_TOKEN

pytestmark = pytest.mark.anyio

ADDRESS = "192.0.2.7"
ADA = NewUser(name="ada", email="Ada@Example.com", password=PASSWORD, first_name="Ada", last_name="L")


async def as_session(scene: Scene, secret: str, **headers: str) -> Caller:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await scene.accounts.authenticator.identify(given, {COOKIE: secret}, {}, ADDRESS)


async def test_there_is_an_organization_a_cluster_and_an_admin_nobody_can_log_in_as(scene: Scene) -> None:
    owner = await scene.owner()

    assert (owner.user.name, owner.user.email, owner.organization.name) == ("admin", "", "default")
    assert owner.is_superuser
    (of_organization,) = await scene.accounts.people.members(owner)
    (of_cluster,) = await scene.accounts.people.members(owner, "default")
    assert of_organization.role is of_cluster.role is Role.ADMIN
    words = "user admin email is empty, it looks like yatai did not complete the setup process"
    with pytest.raises(BadRequest, match=words):
        await scene.accounts.entrance.log_in("admin", "anything", ADDRESS)


async def test_starting_again_makes_nothing_anew(tmp_path: Path) -> None:
    async with accounts_at(tmp_path) as scene:
        first = await scene.owner()
    async with accounts_at(tmp_path) as scene:
        assert await scene.owner() == first


async def test_the_set_up_makes_the_first_admin_a_person_once(scene: Scene) -> None:
    entered = await scene.accounts.entrance.set_up(SETUP_TOKEN, ADA, ADDRESS)

    caller = await as_session(scene, entered.secret)
    assert (caller.user.name, caller.user.email, caller.is_superuser) == ("ada", "ada@example.com", True)
    assert (await scene.accounts.entrance.log_in("ada@example.com", PASSWORD, ADDRESS)).user.name == "ada"
    with pytest.raises(BadRequest, match="the setup has been completed long ago"):
        await scene.accounts.entrance.set_up(SETUP_TOKEN, ADA, ADDRESS)


async def test_the_set_up_needs_its_token(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="invalid token"):
        await scene.accounts.entrance.set_up("another", ADA, ADDRESS)
    (tmp_path / "other").mkdir()
    async with accounts_at(tmp_path / "other") as without:
        with pytest.raises(BadRequest, match="initialization token is not set"):
            await without.accounts.entrance.set_up("", ADA, ADDRESS)


async def test_a_wrong_name_and_a_wrong_password_sound_the_same(scene: Scene) -> None:
    await scene.person("ada")
    await scene.accounts.people.create(await scene.owner(), NewUser(name="robot"))

    for name, password in (("ada", "wrong"), ("nobody", PASSWORD), ("no@body.example", "x"), ("robot", ""), ("", "")):
        with pytest.raises(Unauthorized, match=r"^invalid username or password$"):
            await scene.accounts.entrance.log_in(name, password, ADDRESS)


async def test_guessing_stops_by_name_and_by_address_and_goes_on_later(scene: Scene) -> None:
    await scene.person("ada")
    log_in = scene.accounts.entrance.log_in

    for number in range(10):
        with pytest.raises(Unauthorized):
            await log_in("ada", "wrong", f"203.0.113.{number}")
    with pytest.raises(TooManyRequests) as refused:
        await log_in("ada", PASSWORD, "198.51.100.1")
    for number in range(20):
        with pytest.raises(Unauthorized):
            await log_in(f"person-{number}", "wrong", ADDRESS)
    with pytest.raises(TooManyRequests):
        await log_in("somebody-else", "wrong", ADDRESS)

    assert refused.value.after_s == 300.0
    scene.clock.now += 301
    assert (await log_in("ada", PASSWORD, ADDRESS)).user.name == "ada"


async def test_failures_against_a_person_are_in_the_log(scene: Scene) -> None:
    await scene.person("ada")
    with pytest.raises(Unauthorized):
        await scene.accounts.entrance.log_in("ada", "wrong", ADDRESS)

    failed = EventFilter(organization="", statuses=("failed",))
    (told,) = (await scene.accounts.activity.events(await scene.owner(), failed)).items

    assert (told.event.operation_name, told.event.resource_name, told.info) == (
        "logged_in",
        "ada",
        {"address": ADDRESS},
    )


async def test_registration_is_closed_unless_the_owner_opens_it(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(Forbidden, match="registration is closed"):
        await scene.accounts.entrance.register(ADA, ADDRESS)

    (tmp_path / "open").mkdir()
    async with accounts_at(tmp_path / "open", AccountsConfig(is_registration_open=True)) as open_scene:
        asked = replace(ADA, role=Role.ADMIN, is_admin=True)
        entered = await open_scene.accounts.entrance.register(asked, ADDRESS)
        caller = await as_session(open_scene, entered.secret)

        assert (caller.role, caller.is_superuser) == (Role.GUEST, False)


async def test_a_session_ends_by_time_by_logging_out_and_by_a_new_password(scene: Scene) -> None:
    await scene.person("ada")
    sessions = [(await scene.accounts.entrance.log_in("ada", PASSWORD, ADDRESS)).secret for _ in range(3)]
    caller = await as_session(scene, sessions[0])
    assert (caller.user.name, caller.token_name) == ("ada", "")

    await scene.accounts.sessions.end(sessions[0])
    with pytest.raises(Unauthorized):
        await as_session(scene, sessions[0])

    with pytest.raises(BadRequest, match="invalid current password"):
        await scene.accounts.entrance.change_password(caller, "wrong", "another password")
    await scene.accounts.entrance.change_password(caller, PASSWORD, "another password")
    with pytest.raises(Unauthorized):
        await as_session(scene, sessions[1])

    last = (await scene.accounts.entrance.log_in("ada", "another password", ADDRESS)).secret
    scene.clock.now += LIFETIME_S
    with pytest.raises(Unauthorized):
        await as_session(scene, last)


async def test_a_session_is_no_token_and_a_token_no_session(scene: Scene) -> None:
    await scene.person("ada")
    session = (await scene.accounts.entrance.log_in("ada", PASSWORD, ADDRESS)).secret
    token = await scene.token("ada")

    with pytest.raises(Unauthorized):
        await scene.caller(session)
    with pytest.raises(Unauthorized):
        await as_session(scene, token)


@pytest.mark.parametrize(
    ("headers", "is_let_in"),
    [
        ({"host": "here.example"}, True),
        ({"host": "here.example", "origin": "https://here.example"}, True),
        ({"host": "here.example", "origin": "https://evil.example"}, False),
        ({"host": "here.example", "origin": "null"}, False),
        ({"host": "here.example", "sec_fetch_site": "same-origin"}, True),
        ({"host": "here.example", "sec_fetch_site": "cross-site"}, False),
        ({"host": "here.example", "sec_fetch_site": "same-site", "sec_fetch_mode": "cors"}, False),
        (
            {"host": "h", "sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"},
            True,
        ),
        (
            {"host": "h", "sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"},
            False,
        ),
    ],
)
async def test_a_page_of_another_site_cannot_use_a_session(
    scene: Scene, headers: dict[str, str], is_let_in: bool
) -> None:
    await scene.person("ada")
    session = (await scene.accounts.entrance.log_in("ada", PASSWORD, ADDRESS)).secret

    if is_let_in:
        assert (await as_session(scene, session, **headers)).user.name == "ada"
    else:
        with pytest.raises(Forbidden):
            await as_session(scene, session, **headers)


async def test_a_terminal_is_logged_in_once_by_a_person_in_a_browser(scene: Scene) -> None:
    await scene.person("ada")
    codes = scene.accounts.codes
    caller = await as_session(scene, (await scene.accounts.entrance.log_in("ada", PASSWORD, ADDRESS)).secret)
    code = await codes.issue()
    with pytest.raises(NotFound):
        await codes.redeem(code, ADDRESS)

    await codes.approve(caller, code)
    token = await codes.redeem(code, ADDRESS)

    assert (await scene.caller(token)).user.name == "ada"
    with pytest.raises(NotFound):
        await codes.redeem(code, ADDRESS)
    with pytest.raises(BadRequest, match="not waiting any more"):
        await codes.approve(caller, code)


async def test_a_code_runs_out_and_tokens_cannot_approve_one(scene: Scene) -> None:
    await scene.person("ada")
    codes = scene.accounts.codes
    session = (await scene.accounts.entrance.log_in("ada", PASSWORD, ADDRESS)).secret
    code = await codes.issue()
    with pytest.raises(Forbidden):
        await codes.approve(await scene.caller(await scene.token("ada")), code)

    await codes.approve(await as_session(scene, session), code)
    scene.clock.now += 600

    with pytest.raises(NotFound):
        await codes.redeem(code, ADDRESS)


async def test_operators_elsewhere_come_as_the_first_admin(scene: Scene) -> None:
    caller = await scene.caller(f"yatai-deployment:default:{COMPONENT_TOKEN}")
    assert (caller.user.name, caller.token_name) == ("admin", "yatai-k8s-bot")

    for token in (
        "yatai-deployment:default:wrong",
        "yatai-deployment:default:",
        f"something-else:default:{COMPONENT_TOKEN}",
    ):
        with pytest.raises(Unauthorized):
            await scene.caller(token)
    with pytest.raises(NotFound):
        await scene.caller(f"yatai-deployment:elsewhere:{COMPONENT_TOKEN}")


async def test_without_a_components_token_no_component_is_known(tmp_path: Path) -> None:
    async with accounts_at(tmp_path) as scene:
        with pytest.raises(Unauthorized):
            await scene.caller("yatai-deployment:default:")


async def test_the_installations_own_token_is_the_owner(scene: Scene) -> None:
    assert (await scene.caller(OWNER_TOKEN)).is_superuser
    for token in ("", "ä", "\udcff", OWNER_TOKEN[:-1]):
        with pytest.raises(Unauthorized):
            await scene.caller(token)


async def test_a_bearers_token_counts_as_well(scene: Scene) -> None:
    headers = {"authorization": f"Bearer {await scene.token('admin')}"}

    assert (await scene.accounts.authenticator.identify(headers, {}, {}, ADDRESS)).user.name == "admin"


async def test_organizations_are_for_their_members(scene: Scene) -> None:
    people, owner = scene.accounts.people, await scene.owner()
    await scene.person("ada")
    other = await people.create_organization(owner, "other", "")
    session = (await scene.accounts.entrance.log_in("ada", PASSWORD, ADDRESS)).secret
    token = await scene.token("ada")

    for asked in ("other", "missing"):
        with pytest.raises(Forbidden):
            await as_session(scene, session, x_yatai_organization=asked)
        with pytest.raises(Forbidden):
            await scene.caller(token, x_yatai_organization=asked)

    await people.set_roles(replace(owner, organization=other), ["ada"], Role.GUEST)
    inside = await as_session(scene, session, x_yatai_organization="other")
    assert (inside.organization.name, inside.role) == ("other", Role.GUEST)


async def test_who_is_no_member_any_more_is_out(scene: Scene) -> None:
    await scene.person("ada")
    token = await scene.token("ada")
    await scene.accounts.people.remove_member(await scene.owner(), "ada")

    with pytest.raises(Forbidden, match="not a member"):
        await scene.caller(token)


async def test_an_admin_of_the_organization_is_not_over_who_may_do_everything(scene: Scene) -> None:
    await scene.person("ada", Role.ADMIN)
    ada = await scene.caller(await scene.token("ada"))
    people = scene.accounts.people

    assert (await people.create(ada, NewUser(name="bob", role=Role.ADMIN))).name == "bob"
    with pytest.raises(Forbidden):
        await people.create(ada, NewUser(name="carol", is_admin=True))
    with pytest.raises(Forbidden):
        await people.set_password(ada, "admin", "another password")
    with pytest.raises(Forbidden):
        await people.set_superuser(ada, "ada", is_admin=True)
    with pytest.raises(Forbidden):
        await people.set_disabled(ada, "admin", is_disabled=True)


async def test_the_last_who_may_do_everything_stays(scene: Scene) -> None:
    owner = await scene.owner()

    with pytest.raises(Conflict):
        await scene.accounts.people.set_disabled(owner, "admin", is_disabled=True)
    with pytest.raises(Conflict):
        await scene.accounts.people.set_superuser(owner, "admin", is_admin=False)
    assert (await scene.owner()).user.name == "admin"


@pytest.mark.parametrize("password", ["", "short", "x" * 1025])
async def test_a_password_has_a_length(scene: Scene, password: str) -> None:
    await scene.person("ada")
    with pytest.raises(BadRequest, match="8 to 1024"):
        await scene.accounts.people.set_password(await scene.owner(), "ada", password)
