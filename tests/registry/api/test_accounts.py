"""Accounts over the API and in a browser's forms, on a real port."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from fairlead.registry.accounts.config import AccountsConfig, Provider
from fairlead.registry.accounts.people import NewUser
from fairlead.registry.accounts.sessions import COOKIE
from fairlead.registry.callers import Role
from support.accounts import PASSWORD
from support.identity_provider import consent, real_provider
from support.registry_server import Http, RegistryServer, registry_server

pytestmark = pytest.mark.slow

SETUP = {"token": "set-up", "name": "boss", "email": "boss@example.com", "password": PASSWORD, "first_name": "B"}
GRACE = {"sub": "grace@example.com", "email": "grace@example.com", "email_verified": True}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with real_provider(GRACE) as url:
        yield url


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, issuer: str) -> Iterator[RegistryServer]:
    work = Provider(
        name="work", label="Work <3", issuer=issuer, client_id="c", client_secret="s", default_role=Role.GUEST
    )
    config = AccountsConfig(setup_token="set-up", providers=(work,))
    with registry_server(tmp_path_factory.mktemp("accounts"), accounts=config) as running:
        yield running


@pytest.fixture(scope="module")
def ada(server: RegistryServer) -> Http:
    """A developer with a password."""
    token = server.token("ada")

    async def set_password() -> None:
        await server.accounts.people.set_password(await server.accounts.people.owner(), "ada", PASSWORD)

    server.run(set_password())
    return server.http.by(token)


@pytest.fixture
def browser(server: RegistryServer, ada: Http) -> requests.Session:
    """Somebody signed in as ada."""
    session = requests.Session()
    answer = session.post(
        f"{server.url}/login", data={"name_or_email": "ada", "password": PASSWORD}, allow_redirects=False
    )
    assert answer.status_code == 303
    return session


def test_who_one_is_and_where(ada: Http) -> None:
    user = ada.ok("GET", "/api/v1/auth/current")
    organization = ada.ok("GET", "/api/v1/current_org")

    assert (user["name"], user["email"], user["resource_type"], user["labels"]) == (
        "ada",
        "ada@example.com",
        "user",
        [],
    )
    assert {"first_name", "last_name", "uid", "created_at", "updated_at", "deleted_at"} <= set(user)
    assert (organization["name"], organization["description"], organization["config"]) == ("default", "", {})


@pytest.mark.parametrize(
    ("token", "status", "message"),
    [
        ("", 401, "username in cookie is empty"),
        ("wrong", 401, "get api token: record not found"),
        ("yatai-deployment:default:x", 401, "the component's token is not known here"),
    ],
)
def test_a_bad_credential_is_refused_with_a_message(
    server: RegistryServer, token: str, status: int, message: str
) -> None:
    answer = server.http.by(token)("GET", "/api/v1/auth/current")

    assert (answer.status_code, answer.json()) == (status, {"message": message})


def test_a_token_is_made_shown_once_and_revoked_at_once(ada: Http) -> None:
    made = ada.ok("POST", "/api/v1/api_tokens", {"name": "ci", "scopes": None, "expired_at": "2100-01-01T00:00:00"})
    shown = ada.ok("GET", f"/api/v1/api_tokens/{made['uid']}")
    listed = ada.ok("GET", "/api/v1/api_tokens?start=0&count=100&search=ci")

    assert (made["scopes"], made["expired_at"], made["is_expired"]) == (["api"], "2100-01-01T00:00:00.000000Z", False)
    assert shown == {**made, "token": None} == listed["items"][0]
    assert ada.by(made["token"]).ok("GET", "/api/v1/auth/current")["name"] == "ada"

    ada.ok("PATCH", f"/api/v1/api_tokens/{made['uid']}", {"description": "for CI"})
    ada.ok("DELETE", f"/api/v1/api_tokens/{made['uid']}")
    assert ada.by(made["token"])("GET", "/api/v1/auth/current").status_code == 401
    assert ada("GET", f"/api/v1/api_tokens/{made['uid']}").status_code == 404


def test_people_are_added_by_admins_with_yatais_role_in_the_cluster(server: RegistryServer, ada: Http) -> None:
    new = {"name": "carol", "email": "carol@example.com", "password": PASSWORD, "role": "developer"}

    refused = ada("POST", "/api/v1/users", new)
    made = server.http.ok("POST", "/api/v1/users", new)
    again = server.http("POST", "/api/v1/users", new)

    assert (refused.status_code, refused.json()) == (403, {"error": "user ada cannot operate this user: carol"})
    assert made["name"] == "carol"
    assert again.status_code == 409
    roles = {
        path: {member["user"]["name"]: member["role"] for member in server.http.ok("GET", path)}
        for path in ("/api/v1/members", "/api/v1/clusters/default/members")
    }
    assert [roles[path]["carol"] for path in roles] == ["developer", "guest"]
    listed = server.http.ok("GET", "/api/v1/users?search=aro")
    assert [user["name"] for user in listed["items"]] == ["carol"]


def test_members_get_roles_and_lose_them(server: RegistryServer) -> None:
    server.token("dora", Role.GUEST)

    given = server.http.ok("POST", "/api/v1/members", {"usernames": ["dora"], "role": "admin"})
    assert {member["user"]["name"]: member["role"] for member in given}["dora"] == "admin"
    server.http.ok("DELETE", "/api/v1/members", {"username": "dora"})

    assert server.http("DELETE", "/api/v1/members", {"username": "dora"}).status_code == 404
    assert server.http("POST", "/api/v1/members", {"usernames": [], "role": "king"}).status_code == 400
    assert server.http("GET", "/api/v1/clusters/none/members").status_code == 404


def test_a_user_is_shut_out_over_the_api(server: RegistryServer) -> None:
    eve = server.http.by(server.token("eve"))
    eve.ok("GET", "/api/v1/auth/current")

    assert server.http.ok("PATCH", "/api/v1/users/eve", {"is_disabled": True})["is_disabled"] is True

    assert eve("GET", "/api/v1/auth/current").status_code == 401


def test_logging_in_sets_a_cookie_that_scripts_cannot_read(server: RegistryServer, ada: Http) -> None:
    answer = requests.post(
        f"{server.url}/api/v1/auth/login?redirect=/models",
        json={"name_or_email": "ada@example.com", "password": PASSWORD},
        allow_redirects=False,
        timeout=10,
    )

    assert (answer.status_code, answer.headers["location"]) == (303, "/models")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=2592000"} <= {part.strip() for part in cookie.split(";")}
    wrong = requests.post(f"{server.url}/api/v1/auth/login", json={"name_or_email": "ada", "password": "x"}, timeout=10)
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid username or password"})


@pytest.mark.parametrize("then", ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "/a\n", ""])
def test_logging_in_leads_nowhere_else(server: RegistryServer, ada: Http, then: str) -> None:
    answer = requests.post(
        f"{server.url}/login",
        params={"redirect": then},
        data={"name_or_email": "ada", "password": PASSWORD},
        allow_redirects=False,
        timeout=10,
    )

    assert answer.headers["location"] == "/"


def test_pages_run_no_script_and_are_not_framed(server: RegistryServer) -> None:
    answer = requests.get(f"{server.url}/login", timeout=10)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in answer.text
    assert "Log in with Work &lt;3" in answer.text


def test_a_refused_login_says_why_and_keeps_the_name(server: RegistryServer) -> None:
    answer = requests.post(f"{server.url}/login", data={"name_or_email": "<i>ada", "password": "wrong"}, timeout=10)

    assert answer.status_code == 401
    assert "invalid username or password" in answer.text
    assert "&lt;i&gt;ada" in answer.text


def test_logging_out_ends_the_session(server: RegistryServer, browser: requests.Session) -> None:
    secret = str(browser.cookies[COOKIE])
    answer = browser.get(f"{server.url}/logout", allow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (302, "/login")
    again = requests.get(f"{server.url}/api/v1/auth/current", cookies={COOKIE: secret}, timeout=10)
    assert again.status_code == 401


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
def test_other_sites_can_make_a_browser_do_nothing(
    server: RegistryServer, browser: requests.Session, headers: dict[str, str]
) -> None:
    def posted(path: str, **body: Any) -> int:
        return browser.post(server.url + path, headers=headers, **body).status_code

    assert posted("/api/v1/api_tokens", json={"name": "stolen"}) == 403
    assert posted("/api_tokens", data={"code": "x"}) == 403
    assert posted("/login", data={"name_or_email": "ada", "password": PASSWORD}) == 403
    assert browser.get(f"{server.url}/api/v1/auth/current", headers=headers).status_code == 403


def test_a_terminal_is_let_in_by_a_browser(server: RegistryServer, browser: requests.Session) -> None:
    api = Http(server.url)
    code = api.ok("GET", "/api/v1/auth/code")["code"]
    assert api("GET", f"/api/v1/auth/token?code={code}").status_code == 404

    page = browser.get(f"{server.url}/api_tokens", params={"code": code})
    assert (page.status_code, f'value="{code}"' in page.text, "<strong>ada</strong>" in page.text) == (200, True, True)
    assert api("GET", f"/api/v1/auth/token?code={code}").status_code == 404, "looking is not approving"
    assert "Done." in browser.post(f"{server.url}/api_tokens", data={"code": code}).text
    token = api.ok("GET", f"/api/v1/auth/token?code={code}")["token"]

    assert api.by(token).ok("GET", "/api/v1/auth/current")["name"] == "ada"
    assert api("GET", f"/api/v1/auth/token?code={code}").status_code == 404
    stranger = requests.get(f"{server.url}/api_tokens", params={"code": code}, allow_redirects=False, timeout=10)
    assert urlsplit(stranger.headers["location"]).path == "/login"
    assert parse_qs(urlsplit(stranger.headers["location"]).query)["redirect"] == [f"/api_tokens?code={code}"]


def test_a_person_comes_in_through_the_provider(server: RegistryServer) -> None:
    session = requests.Session()
    begun = session.get(
        f"{server.url}/auth/oidc/login", params={"provider": "work", "redirect": "/bentos"}, allow_redirects=False
    )
    back = consent(begun.headers["location"], GRACE["sub"])  # type: ignore[arg-type]
    navigation = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    entered = session.get(back, headers=navigation, allow_redirects=False)

    assert entered.status_code == 303, entered.text
    assert entered.headers["location"] == "/bentos"
    user = session.get(f"{server.url}/api/v1/auth/current").json()
    assert (user["name"], user["email"]) == ("grace", "grace@example.com")
    replayed = requests.get(back, allow_redirects=False, timeout=10)
    assert (replayed.status_code, "not begun here" in replayed.text) == (401, True)


def test_the_log_tells_what_was_done_to_people_and_tokens(server: RegistryServer, ada: Http) -> None:
    made = ada.ok("POST", "/api/v1/api_tokens", {"name": "told"})
    ada.ok("DELETE", f"/api/v1/api_tokens/{made['uid']}")

    listed = ada.ok("GET", "/api/v1/events?q=resource_type:api_token creator:@me&search=told")

    assert [event["operation_name"] for event in listed["items"]] == ["deleted", "created"]
    assert {event["creator"]["name"] for event in listed["items"]} == {"ada"}
    assert {"created", "deleted"} <= set(ada.ok("GET", "/api/v1/event_operation_names?resource_type=api_token"))


def test_the_set_up_over_the_api_and_by_its_page(tmp_path: Path) -> None:
    with registry_server(tmp_path, accounts=AccountsConfig(setup_token="set-up")) as fresh:
        page = requests.get(f"{fresh.url}/setup?token=set-up", timeout=10)
        assert 'value="set-up"' in page.text
        wrong = requests.post(f"{fresh.url}/setup", data={**SETUP, "token": "x"}, timeout=10)
        assert (wrong.status_code, "invalid token" in wrong.text) == (400, True)

        done = requests.post(f"{fresh.url}/setup", data=SETUP, allow_redirects=False, timeout=10)
        again = requests.post(f"{fresh.url}/api/v1/setup", json=SETUP, timeout=10)

        assert done.status_code == 303
        assert (again.status_code, again.json()) == (400, {"error": "the setup has been completed long ago"})
        me = requests.get(f"{fresh.url}/api/v1/auth/current", cookies=done.cookies, timeout=10).json()
        assert (me["name"], me["is_super_admin"]) == ("boss", True)
        changed = {"current_password": PASSWORD, "new_password": "another password"}
        path = f"{fresh.url}/api/v1/auth/reset_password"
        assert requests.patch(path, json=changed, cookies=done.cookies, timeout=10).status_code == 200


def test_registering_is_refused_while_it_is_closed(server: RegistryServer) -> None:
    new = {"name": "mallory", "email": "m@example.com", "password": PASSWORD}

    assert Http(server.url)("POST", "/api/v1/auth/register", new).status_code == 403


def test_guesses_are_limited_over_the_api(server: RegistryServer) -> None:
    async def add() -> None:
        new = NewUser(name="frank", password=PASSWORD)
        await server.accounts.people.create(await server.accounts.people.owner(), new)

    server.run(add())
    guess = {"name_or_email": "frank", "password": "wrong"}
    answers = [Http(server.url)("POST", "/api/v1/auth/login", guess) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
