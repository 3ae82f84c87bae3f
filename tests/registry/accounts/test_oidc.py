"""Logging in through a provider of identities: a real one, and one that lies."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from fairlead.errors import ConfigError, FairleadError, Forbidden, NotFound, Unauthorized
from fairlead.registry.accounts.config import AccountsConfig, Provider, read_providers
from fairlead.registry.accounts.sessions import COOKIE
from fairlead.registry.callers import Caller, Role
from fairlead.registry.db.events import EventFilter
from support.accounts import Scene, accounts_at
from support.identity_provider import KEY, OTHER_KEY, Signer, consent, public, real_provider, signed, signer

pytestmark = pytest.mark.anyio

ADDRESS = "192.0.2.9"
CALLBACK = "http://127.0.0.1:8090/auth/oidc/callback"
ADA = {
    "sub": "248289", "email": "ada@example.com", "email_verified": True, "preferred_username": "Ada.L",
    "given_name": "Ada", "family_name": "L", "groups": ["modellers"],
}  # fmt: skip
BOB = {"sub": "7", "email": "bob@example.com", "groups": ["strangers"]}


def provider(issuer: str, **values: Any) -> Provider:
    return Provider(
        **{
            "name": "work", "issuer": issuer, "client_id": "fairlead", "client_secret": "s3cret",
            "roles": (("modellers", Role.DEVELOPER), ("chiefs", Role.ADMIN)),
            **values,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def real() -> Iterator[str]:
    with real_provider(ADA, BOB) as issuer:
        yield issuer


async def log_in_really(scene: Scene, subject: str) -> tuple[Caller, str]:
    begun = await scene.accounts.open_id.begin("work", redirect_uri=CALLBACK, then="/models")
    back = urlsplit(consent(begun.url, subject))
    assert back._replace(query="").geturl() == CALLBACK
    query = dict(parse_qsl(back.query))
    entered, then = await scene.accounts.open_id.finish(begun.cookie, query, ADDRESS)
    assert then == "/models"
    return await scene.accounts.authenticator.identify({}, {COOKIE: entered.secret}, {}, ADDRESS), entered.secret


@pytest.mark.slow(1.5)
async def test_a_person_of_a_real_provider_gets_an_account_and_the_role_of_their_group(
    tmp_path: Path, real: str
) -> None:
    config = AccountsConfig(providers=(provider(real),))
    async with accounts_at(tmp_path, config) as scene:
        scene.clock.now = time.time()
        caller, _ = await log_in_really(scene, "248289")

        user = caller.user
        assert (user.name, user.email, user.first_name, user.last_name) == ("ada-l", "ada@example.com", "Ada", "L")
        assert (caller.role, dict(caller.cluster_roles)) == (Role.DEVELOPER, {"default": Role.DEVELOPER})
        assert (await log_in_really(scene, "248289"))[0].user.uid == user.uid
        with pytest.raises(Forbidden, match="none of your groups"):
            await log_in_really(scene, "7")


@pytest.fixture
def lying() -> Iterator[Signer]:
    with signer() as served:
        yield served


class Login:
    """One login by the provider that signs what it is told."""

    def __init__(self, scene: Scene, issuer: Signer) -> None:
        self.scene = scene
        self.issuer = issuer
        self.cookie = self.nonce = self.challenge = ""
        self.query: dict[str, str] = {}

    async def begin(self) -> "Login":
        begun = await self.scene.accounts.open_id.begin("work", redirect_uri=CALLBACK, then="/")
        asked = dict(parse_qsl(urlsplit(begun.url).query))
        self.cookie, self.nonce = begun.cookie, asked["nonce"]
        self.query = {"code": "a-code", "state": asked["state"]}
        self.challenge = asked["code_challenge"]
        return self

    def claims(self, **values: Any) -> dict[str, Any]:
        now = self.scene.clock.now
        given = {
            "iss": self.issuer.url, "aud": "fairlead", "exp": now + 60, "iat": now, "nonce": self.nonce, **ADA, **values
        }  # fmt: skip
        return {name: value for name, value in given.items() if value is not None}

    async def finish(self, token: str = "") -> Caller:
        self.issuer.token = token or signed(self.claims())
        entered, _ = await self.scene.accounts.open_id.finish(self.cookie, self.query, ADDRESS)
        return await self.scene.accounts.authenticator.identify({}, {COOKIE: entered.secret}, {}, ADDRESS)


@pytest.fixture
async def login(tmp_path: Path, lying: Signer) -> AsyncIterator[Login]:
    async with accounts_at(tmp_path, AccountsConfig(providers=(provider(lying.url),))) as scene:
        yield await Login(scene, lying).begin()


async def test_the_code_is_exchanged_with_its_verifier_and_the_clients_secret(login: Login) -> None:
    caller = await login.finish()

    assert caller.user.name == "ada-l"
    (form,) = login.issuer.asked
    assert (form["code"], form["redirect_uri"]) == (["a-code"], [CALLBACK])
    digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == login.challenge


HOSTILE: Mapping[str, Any] = {
    "unsigned": lambda login: jwt.encode(login.claims(), "", algorithm="none"),
    "signed by nobody, with a signature's place": lambda login: signed(login.claims()).rsplit(".", 1)[0] + ".",
    "signed by another key": lambda login: signed(login.claims(), OTHER_KEY),
    "signed by a key of another name": lambda login: signed(login.claims(), OTHER_KEY, kid="two"),
    "signed with the public key as a shared secret": lambda login: _confused(login.claims()),
    "of another login": lambda login: signed(login.claims(nonce="another")),
    "without a nonce": lambda login: signed(login.claims(nonce=None)),
    "for another audience": lambda login: signed(login.claims(aud="somebody-else")),
    "for others, handed on": lambda login: signed(login.claims(aud=["fairlead", "x"], azp="x")),
    "without an audience": lambda login: signed(login.claims(aud=None)),
    "of another issuer": lambda login: signed(login.claims(iss="https://evil.example")),
    "expired": lambda login: signed(login.claims(exp=login.scene.clock.now - 31)),
    "without an end": lambda login: signed(login.claims(exp=None)),
    "not in force yet": lambda login: signed(login.claims(nbf=login.scene.clock.now + 31)),
    "about nobody": lambda login: signed(login.claims(sub="")),
    "with critical headers": lambda login: signed(login.claims(), crit=["x"], x=1),
    "no token": lambda login: "no.token.at-all",
    "too long": lambda login: "a" * 20_000,
}


def _confused(claims: Mapping[str, Any]) -> str:
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    # PyJWT refuses to make such a token itself, as it should.
    def part(value: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    body = part({"alg": "HS256", "typ": "JWT", "kid": "one"}) + b"." + part(claims)
    return (body + b"." + base64.urlsafe_b64encode(hmac.digest(pem, body, "sha256")).rstrip(b"=")).decode()


@pytest.mark.parametrize("sort", HOSTILE)
async def test_a_token_that_the_provider_did_not_make_for_this_login_is_refused(login: Login, sort: str) -> None:
    with pytest.raises(Unauthorized):
        await login.finish(HOSTILE[sort](login))

    events = await login.scene.accounts.activity.events(await login.scene.owner(), EventFilter(organization=""))
    assert events.total == 0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"state": "another"}, Unauthorized),
        ({"state": ""}, Unauthorized),
        ({"iss": "https://evil.example"}, Unauthorized),
        ({"error": "access_denied"}, Unauthorized),
        ({"code": ""}, Unauthorized),
    ],
)
async def test_an_answer_to_another_question_is_refused(
    login: Login, change: dict[str, str], error: type[FairleadError]
) -> None:
    login.query |= change

    with pytest.raises(error):
        await login.finish()
    assert not login.issuer.asked


async def test_only_the_browser_that_began_a_login_finishes_it_and_in_time(login: Login) -> None:
    other = await Login(login.scene, login.issuer).begin()

    for cookie in ("", "nonsense", jwt.encode({"state": login.query["state"]}, "x" * 32, algorithm="HS256")):
        with pytest.raises(Unauthorized):
            await login.scene.accounts.open_id.finish(cookie, login.query, ADDRESS)
    with pytest.raises(Unauthorized):
        await login.scene.accounts.open_id.finish(other.cookie, login.query, ADDRESS)
    login.scene.clock.now += 601
    with pytest.raises(Unauthorized, match="too long"):
        await login.finish()


async def test_only_configured_providers_count(login: Login) -> None:
    with pytest.raises(NotFound):
        await login.scene.accounts.open_id.begin("other", redirect_uri=CALLBACK, then="/")


async def test_a_new_key_is_fetched_but_not_for_every_unknown_one(login: Login) -> None:
    login.issuer.keys.append(public(OTHER_KEY, "two"))
    before = login.issuer.requests.count("/jwks")
    await login.finish()
    login.issuer.keys[:] = [public(OTHER_KEY, "three")]
    again = await Login(login.scene, login.issuer).begin()

    with pytest.raises(Unauthorized):
        await again.finish(signed(again.claims(), OTHER_KEY, kid="three"))
    login.scene.clock.now += 61
    late = await Login(login.scene, login.issuer).begin()
    assert (await late.finish(signed(late.claims(), OTHER_KEY, kid="three"))).user.name == "ada-l"
    assert login.issuer.requests.count("/jwks") - before == 2


async def test_roles_follow_groups_at_every_login(login: Login) -> None:
    assert (await login.finish()).role is Role.DEVELOPER

    again = await Login(login.scene, login.issuer).begin()
    promoted = await again.finish(signed(again.claims(groups=["modellers", "chiefs"])))
    assert (promoted.role, promoted.is_superuser) == (Role.ADMIN, False)

    last = await Login(login.scene, login.issuer).begin()
    with pytest.raises(Forbidden):
        await last.finish(signed(last.claims(groups=[])))


async def test_a_verified_address_joins_an_account_unless_it_may_do_everything(login: Login) -> None:
    await login.scene.person("ada")
    await login.scene.person("boss", is_admin=True)

    assert (await login.finish()).user.name == "ada"
    other = await Login(login.scene, login.issuer).begin()
    with pytest.raises(Forbidden, match="may do everything"):
        await other.finish(signed(other.claims(sub="9", email="boss@example.com")))


async def test_an_address_that_nobody_verified_joins_nothing(login: Login) -> None:
    await login.scene.person("ada")

    caller = await login.finish(signed(login.claims(email_verified=False, preferred_username="ada")))

    assert (caller.user.name, caller.user.email) == ("ada-2", "")


async def test_what_only_userinfo_tells_counts_if_it_is_about_the_same_person(login: Login) -> None:
    login.issuer.userinfo = {"sub": "another", "groups": ["modellers"]}
    with pytest.raises(Forbidden):
        await login.finish(signed(login.claims(groups=None)))

    again = await Login(login.scene, login.issuer).begin()
    login.issuer.userinfo = {"sub": ADA["sub"], "groups": ["modellers"]}
    assert (await again.finish(signed(again.claims(groups=None)))).role is Role.DEVELOPER


async def test_a_user_who_is_shut_out_stays_out(login: Login) -> None:
    name = (await login.finish()).user.name
    await login.scene.accounts.people.set_disabled(await login.scene.owner(), name, is_disabled=True)
    again = await Login(login.scene, login.issuer).begin()

    with pytest.raises(Forbidden):
        await again.finish()


async def test_admin_groups_and_default_roles(tmp_path: Path, lying: Signer) -> None:
    chosen = provider(lying.url, roles=(), default_role=Role.GUEST, admin_groups=("owners",))
    async with accounts_at(tmp_path, AccountsConfig(providers=(chosen,))) as scene:
        first = await Login(scene, lying).begin()
        caller = await first.finish()
        assert (caller.role, caller.is_superuser) == (Role.GUEST, False)

        await scene.accounts.people.set_roles(await scene.owner(), ["ada-l"], Role.DEVELOPER)
        second = await Login(scene, lying).begin()
        assert (await second.finish()).role is Role.DEVELOPER, "a default role is for the first login alone"

        third = await Login(scene, lying).begin()
        assert (await third.finish(signed(third.claims(groups=["owners"])))).is_superuser
        fourth = await Login(scene, lying).begin()
        assert not (await fourth.finish()).is_superuser


async def test_a_provider_that_speaks_of_another_issuer_is_not_used(tmp_path: Path, lying: Signer) -> None:
    lying.metadata = {"issuer": "https://evil.example"}
    async with accounts_at(tmp_path, AccountsConfig(providers=(provider(lying.url),))) as scene:
        with pytest.raises(FairleadError, match="is not about the issuer"):
            await scene.accounts.open_id.begin("work", redirect_uri=CALLBACK, then="/")


GOOD = {"issuer": "https://id.example.com", "client_id": "c", "roles": {"a b": "admin"}, "default_role": "guest"}


def test_a_provider_is_read_from_the_settings() -> None:
    (read,) = read_providers({"work": {**GOOD, "label": "Work", "admin_groups": ["x"]}})

    assert (read.title, read.roles, read.default_role) == ("Work", (("a b", Role.ADMIN),), Role.GUEST)
    assert "s3cret" not in repr(replace(read, client_secret="s3cret"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"issuer": "http://id.example.com"}, r"oidc\.work\.issuer: must be an https address"),
        ({"issuer": ""}, r"oidc\.work\.issuer: must be text"),
        ({"client_id": 7}, r"oidc\.work\.client_id: must be text"),
        ({"roles": {"a": "king"}}, r"oidc\.work\.roles\.a: must be one of guest, developer, admin"),
        ({"scopes": "openid"}, r"oidc\.work\.scopes: must be a list"),
        ({"colour": "blue"}, r"oidc\.work: unknown key colour; accepted here: admin_groups, client_id"),
    ],
)
def test_a_provider_that_cannot_be_used_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_providers({"work": {**GOOD, **change}})
