"""Tokens of the registry at the Kubernetes-shaped API: every role against every verb, namespaces as the boundary."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.requests import Request

from fairlead.control.api import guard
from fairlead.control.api.authorizing import Action, refusal
from fairlead.control.api.guard import Identify
from fairlead.registry.callers import Caller, Organization, Role, User
from support.accounts import Scene, accounts_at
from support.serving_api import ApiServer, sdep, serving

pytestmark = pytest.mark.anyio

OWNER = "the-installations-own-token"
LOOKING = {"get", "list", "watch"}
CHANGING = {"create", "update", "patch"}
EVERY_VERB = LOOKING | CHANGING | {"delete", "deletecollection", "impersonate", "*"}
SDEPS = "/apis/machinelearning.seldon.io/v1/namespaces/{}/seldondeployments"


def caller(role: Role, *namespaces: str, scopes: tuple[str, ...] = ("api",)) -> Caller:
    return Caller(
        user=User(uid="u", name="ada", created_at=0, updated_at=0),
        organization=Organization(uid="o", name="default", created_at=0, updated_at=0),
        role=role,
        namespaces=namespaces,
        scopes=scopes,
    )


def allowed(who: Caller | None, plural: str = "pods", **values: Any) -> set[str]:
    return {
        verb for verb in EVERY_VERB
        if not refusal(who, Action(**{"verb": verb, "group": "", "plural": plural, "namespace": "one", **values}))
    }  # fmt: skip


@pytest.mark.parametrize(
    ("role", "namespaced", "secrets", "cluster_wide"),
    [
        (Role.GUEST, LOOKING, set(), LOOKING),
        (Role.DEVELOPER, LOOKING | CHANGING, set(), LOOKING),
        (Role.ADMIN, EVERY_VERB, EVERY_VERB, EVERY_VERB),
    ],
)
def test_a_role_allows_its_verbs_and_no_others(
    role: Role, namespaced: set[str], secrets: set[str], cluster_wide: set[str]
) -> None:
    who = caller(role)

    assert allowed(who) == namespaced
    assert allowed(who, "secrets") == secrets
    assert allowed(who, "clusterservingruntimes", namespace=None, is_namespaced=False) == cluster_wide
    assert allowed(None) == allowed(None, "secrets") == EVERY_VERB


def test_people_of_another_organization_reach_nothing_that_runs_here() -> None:
    stranger = replace(caller(Role.ADMIN), organization=Organization(uid="x", name="other", created_at=0, updated_at=0))

    assert allowed(stranger) == allowed(stranger, "secrets") == set()
    assert allowed(replace(stranger, is_superuser=True)) == EVERY_VERB


@pytest.mark.parametrize("role", Role)
def test_a_token_with_namespaces_reaches_nothing_outside_of_them(role: Role) -> None:
    who = caller(role, "one", "two")

    assert allowed(who) == allowed(caller(role))
    assert allowed(who, namespace="three") == set()
    assert allowed(who, namespace=None) == set(), "lists and watches over all namespaces show others'"
    assert allowed(who, "namespaces", namespace=None, name="one", is_namespaced=False) == {"get"}
    assert allowed(who, "namespaces", namespace=None, name="three", is_namespaced=False) == set()
    assert allowed(who, "clusterservingruntimes", namespace=None, is_namespaced=False) <= LOOKING


@pytest.mark.parametrize(
    ("scopes", "verbs"),
    [
        (("read_cluster",), LOOKING),
        (("write_cluster",), CHANGING),
        (("read_cluster", "operate_cluster"), EVERY_VERB - CHANGING),
        (("read_organization", "write_organization", "operate_organization"), set()),
        ((), set()),
    ],
)
def test_scopes_narrow_an_admin(scopes: tuple[str, ...], verbs: set[str]) -> None:
    assert allowed(caller(Role.ADMIN, scopes=scopes)) == verbs


class Served:
    """The API with tokens of people, and what they are told."""

    def __init__(self, api: ApiServer, scene: Scene, tokens: dict[str, str]) -> None:
        self.api, self.scene, self.tokens = api, scene, tokens

    async def call(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {self.tokens.get(who, who)}"} if who else {}
        options: dict[str, Any] = {"json": body} if body is not None else {}
        async with self.api.http.request(method, self.api.url + path, headers=headers, **options) as response:
            return response.status, await response.json(content_type=None)

    async def may(self, who: str, **attributes: str) -> bool:
        review = {"spec": {"resourceAttributes": attributes}}
        _, told = await self.call(who, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(told["status"]["allowed"])


@asynccontextmanager
async def serving_people(folder: Path, *, token: str | None = OWNER) -> AsyncIterator[Served]:
    (folder / "accounts").mkdir()
    async with accounts_at(folder / "accounts") as scene:
        tokens = {}
        for role in Role:
            await scene.person(f"a-{role}", role)
            tokens[role.value] = await scene.token(f"a-{role}")
        tokens["bounded"] = await scene.token("a-admin", name="bounded", namespaces=("default",))

        async def identify(request: Request) -> Caller:
            return await scene.accounts.authenticator.identify(
                request.headers, request.cookies, request.query_params, "192.0.2.3"
            )

        found: Identify = identify
        async with serving(folder, token=token, identify=found) as api:
            yield Served(api, scene, tokens)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving_people(tmp_path) as opened:
        yield opened


@pytest.mark.slow
async def test_requests_are_held_to_the_roles(served: Served) -> None:
    path, secrets = SDEPS.format("default"), "/api/v1/namespaces/default/secrets"
    secret = {"metadata": {"name": "s"}, "stringData": {"a": "b"}}
    calls: Sequence[tuple[str, str, Any, dict[str, int]]] = [
        ("GET", path, None, {"guest": 200, "developer": 200, "admin": 200, OWNER: 200, "": 401, "flt_x": 401}),
        ("POST", path, sdep("a"), {"guest": 403, "": 401, "flt_x": 401, "developer": 201}),
        ("GET", f"{path}/a", None, {"guest": 200}),
        ("DELETE", f"{path}/a", None, {"guest": 403, "developer": 403, "admin": 200}),
        ("DELETE", path, None, {"guest": 403, "developer": 403, "admin": 200}),
        ("POST", secrets, secret, {"guest": 403, "developer": 403, "admin": 201}),
        ("GET", secrets, None, {"guest": 403, "developer": 403, "admin": 200}),
        ("GET", "/api/v1/secrets", None, {"guest": 403, "developer": 403, "bounded": 403, "admin": 200}),
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}}, {"developer": 403, "bounded": 403, "admin": 201}),
        ("GET", "/apis", None, {"guest": 200, "bounded": 200, "": 401}),
    ]
    for method, where, body, expected in calls:
        for who, code in expected.items():
            assert (await served.call(who, method, where, body))[0] == code, (method, where, who)


@pytest.mark.slow
async def test_a_refusal_is_worded_as_a_cluster_words_it(served: Served) -> None:
    code, status = await served.call("guest", "DELETE", f"{SDEPS.format('default')}/x")

    assert (code, status["reason"], status["details"]["name"]) == (403, "Forbidden", "x")
    assert status["message"] == (
        'seldondeployments.machinelearning.seldon.io "x" is forbidden: User "a-guest" cannot delete resource '
        '"seldondeployments" in API group "machinelearning.seldon.io" in the namespace "default": '
        "the role guest may not"
    )


@pytest.mark.slow
async def test_namespaces_bound_lists_watches_and_what_a_body_says(served: Served) -> None:
    await served.call(OWNER, "POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
    everywhere = "/apis/machinelearning.seldon.io/v1/seldondeployments"
    elsewhere = sdep("a", "other")

    assert (await served.call("bounded", "POST", SDEPS.format("default"), sdep("a")))[0] == 201
    for method, path, body in (
        ("GET", everywhere, None),
        ("GET", f"{everywhere}?watch=true", None),
        ("GET", f"{everywhere}?watch=true&fieldSelector=metadata.namespace%3Ddefault", None),
        ("GET", SDEPS.format("other"), None),
        ("GET", f"{SDEPS.format('other')}?watch=1", None),
        ("POST", SDEPS.format("other"), elsewhere),
        ("GET", "/api/v1/namespaces/other", None),
        ("GET", "/api/v1/namespaces", None),
        ("DELETE", "/api/v1/namespaces/default", None),
    ):
        assert (await served.call("bounded", method, path, body))[0] == 403, (method, path)
    assert (await served.call("bounded", "POST", SDEPS.format("default"), elsewhere))[0] == 400
    assert (await served.call("bounded", "GET", "/api/v1/namespaces/default"))[0] == 200


@pytest.mark.slow
async def test_reviews_tell_the_truth(served: Served) -> None:
    inside = {"namespace": "default", "group": "", "resource": "pods"}
    assert await served.may("guest", verb="list", **inside)
    assert not await served.may("guest", verb="create", **inside)
    assert await served.may("developer", verb="create", **inside)
    assert not await served.may("developer", verb="delete", **inside)
    assert not await served.may("developer", **{**inside, "verb": "get", "resource": "secrets"})
    assert await served.may("bounded", **{**inside, "verb": "get", "resource": "secrets"})
    assert not await served.may("bounded", verb="list", group="", resource="pods")
    assert not await served.may("guest", verb="*", group="*", resource="*")
    assert await served.may(OWNER, verb="*", group="*", resource="*")

    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    _, told = await served.call("developer", "POST", path, {"spec": {"namespace": "default"}})
    rules = told["status"]["resourceRules"]
    verbs = {plural: rule["verbs"] for rule in rules for plural in rule["resources"]}
    assert "secrets" not in verbs
    assert set(verbs["seldondeployments"]) == LOOKING | CHANGING
    assert set(verbs["pods"]) == LOOKING

    _, me = await served.call("guest", "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert me["status"]["userInfo"]["username"] == "a-guest"
    assert "system:masters" not in me["status"]["userInfo"]["groups"]


@pytest.mark.slow
async def test_a_watch_ends_when_its_token_is_revoked(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = guard.Guard.__init__.__kwdefaults__ or {}
    monkeypatch.setattr(guard.Guard.__init__, "__kwdefaults__", {**defaults, "recheck_s": 0.05})
    headers = {"authorization": f"Bearer {served.tokens['guest']}"}
    owner = await served.scene.owner()
    tokens = await served.scene.accounts.tokens.list(owner, everybodys=True)
    (uid,) = [each.token.uid for each in tokens if each.user.name == "a-guest"]

    async with served.api.http.get(f"{served.api.url}{SDEPS.format('default')}?watch=1", headers=headers) as watch:
        await served.call("developer", "POST", SDEPS.format("default"), sdep("a"))
        assert b"ADDED" in await watch.content.readline()
        await served.scene.accounts.tokens.revoke(owner, uid)
        with pytest.raises(aiohttp.ClientPayloadError):
            await asyncio.wait_for(watch.content.read(), 10)

    assert (await served.call("guest", "GET", SDEPS.format("default")))[0] == 401


@pytest.mark.slow
async def test_without_a_token_of_its_own_this_machine_stays_open_and_tokens_still_bound(tmp_path: Path) -> None:
    async with serving_people(tmp_path, token=None) as served:
        path = SDEPS.format("default")

        assert (await served.call("", "GET", path))[0] == 200
        assert (await served.call("anything", "GET", path))[0] == 200
        assert (await served.call("guest", "POST", path, sdep("a")))[0] == 403
        assert (await served.call("flt_revoked", "GET", path))[0] == 401
