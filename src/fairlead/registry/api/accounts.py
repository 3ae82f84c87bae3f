"""The API of accounts: who is who, people and their roles, and tokens."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from fairlead.errors import NotFound
from fairlead.registry.accounts.entering import Entered
from fairlead.registry.accounts.people import NewUser, role_named
from fairlead.registry.accounts.service import Accounts
from fairlead.registry.accounts.sessions import COOKIE, LIFETIME_S
from fairlead.registry.accounts.tokens import NewToken
from fairlead.registry.api import accounts_shapes as shapes
from fairlead.registry.api import wire
from fairlead.registry.api.calls import Call, answer, nothing
from fairlead.registry.api.routing import LIST_QUERY, Operation, Parameter
from fairlead.registry.callers import ALL_SCOPES
from fairlead.registry.db.people import Member
from fairlead.registry.values import ListQuery


class Setup(msgspec.Struct, kw_only=True):
    token: str
    name: str
    email: str
    password: str
    first_name: str = ""
    last_name: str = ""


class Registration(msgspec.Struct, kw_only=True):
    name: str
    email: str
    password: str
    first_name: str = ""
    last_name: str = ""


class Login(msgspec.Struct, kw_only=True):
    name_or_email: str
    password: str


class PasswordChange(msgspec.Struct, kw_only=True):
    current_password: str
    new_password: str


class UserCreation(msgspec.Struct, kw_only=True):
    name: str
    email: str = ""
    password: str = ""
    role: str = "developer"
    first_name: str = ""
    last_name: str = ""


class UserChange(msgspec.Struct, kw_only=True):
    """What is left out stays."""

    is_disabled: bool | None = None
    is_super_admin: bool | None = None
    password: str | None = None


class OrganizationCreation(msgspec.Struct, kw_only=True):
    name: str
    description: str = ""


class OrganizationChange(msgspec.Struct, kw_only=True):
    description: str | None = None
    config: dict[str, Any] | None = None


class RoleGift(msgspec.Struct, kw_only=True):
    usernames: list[str]
    role: str


class MemberRemoval(msgspec.Struct, kw_only=True):
    username: str


class TokenCreation(msgspec.Struct, kw_only=True):
    name: str
    description: str | None = None
    scopes: list[str] | None = None
    namespaces: list[str] | None = None
    expired_at: datetime | None = None


class TokenChange(msgspec.Struct, kw_only=True):
    description: str | None = None
    scopes: list[str] | None = None
    expired_at: datetime | None = None


class CodeAnswer(msgspec.Struct, kw_only=True):
    code: str


class TokenAnswer(msgspec.Struct, kw_only=True):
    token: str


class AccountsApi:
    """Handlers over one installation's accounts."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def current(self, call: Call) -> Response:
        shown = shapes.user(call.caller.user)
        # Clients greet people by their address; the first admin and programs have none.
        shown.email = shown.email or shown.name
        return answer(shown)

    async def set_up(self, call: Call) -> Response:
        asked = await call.body(Setup)
        new = NewUser(
            name=asked.name, email=asked.email, password=asked.password, first_name=asked.first_name,
            last_name=asked.last_name,
        )  # fmt: skip
        entered = await self._accounts.entrance.set_up(asked.token, new, _address(call))
        return logged_in(answer(shapes.user(entered.user)), entered, call.request)

    async def register(self, call: Call) -> Response:
        asked = await call.body(Registration)
        new = NewUser(
            name=asked.name, email=asked.email, password=asked.password, first_name=asked.first_name,
            last_name=asked.last_name,
        )  # fmt: skip
        entered = await self._accounts.entrance.register(new, _address(call))
        return logged_in(answer(shapes.user(entered.user)), entered, call.request)

    async def log_in(self, call: Call) -> Response:
        asked = await call.body(Login)
        entered = await self._accounts.entrance.log_in(asked.name_or_email, asked.password, _address(call))
        return logged_in(RedirectResponse(own_path(call.query("redirect")), status_code=303), entered, call.request)

    async def reset_password(self, call: Call) -> Response:
        asked = await call.body(PasswordChange)
        await self._accounts.entrance.change_password(call.caller, asked.current_password, asked.new_password)
        return answer(shapes.user(call.caller.user))

    async def code(self, _call: Call) -> Response:
        return answer(CodeAnswer(code=await self._accounts.codes.issue()))

    async def token_of_code(self, call: Call) -> Response:
        try:
            secret = await self._accounts.codes.redeem(call.query("code"), _address(call))
        except NotFound as error:
            # A terminal that asks says no version, and only new ones ask.
            return JSONResponse({"error": str(error)}, status_code=404)
        return answer(TokenAnswer(token=secret))

    async def users(self, call: Call) -> Response:
        query = call.list_query()
        page = await self._accounts.people.list(
            call.caller, search=" ".join(query.keywords), start=query.start, count=query.count
        )
        items = [shapes.user(user) for user in page.items]
        return answer(shapes.UserList(start=page.start, count=len(items), total=page.total, items=items))

    async def user(self, call: Call) -> Response:
        return answer(shapes.user(await self._accounts.people.get(call.caller, call.path("user"))))

    async def create_user(self, call: Call) -> Response:
        asked = await call.body(UserCreation)
        new = NewUser(
            name=asked.name, email=asked.email, password=asked.password, role=role_named(asked.role),
            first_name=asked.first_name, last_name=asked.last_name,
        )  # fmt: skip
        return answer(shapes.user(await self._accounts.people.create(call.caller, new)))

    async def change_user(self, call: Call) -> Response:
        asked, name = await call.body(UserChange), call.path("user")
        people = self._accounts.people
        if asked.is_super_admin is not None:
            await people.set_superuser(call.caller, name, is_admin=asked.is_super_admin)
        if asked.password is not None:
            await people.set_password(call.caller, name, asked.password)
        if asked.is_disabled is not None:
            await people.set_disabled(call.caller, name, is_disabled=asked.is_disabled)
        return answer(shapes.user(await people.get(call.caller, name)))

    async def current_organization(self, call: Call) -> Response:
        organization = call.caller.organization
        creators = await self._accounts.people.by_uid([organization.creator])
        return answer(shapes.organization(organization, creators.get(organization.creator)))

    async def change_organization(self, call: Call) -> Response:
        asked = await call.body(OrganizationChange)
        changes = {} if asked.description is None else {"description": asked.description}
        changes |= {} if asked.config is None else {"config": orjson.dumps(asked.config).decode()}
        found = await self._accounts.people.update_organization(call.caller, **changes)
        return answer(shapes.organization(found, None))

    async def organizations(self, call: Call) -> Response:
        query = call.list_query()
        found = await self._accounts.people.organizations(call.caller)
        creators = await self._accounts.people.by_uid([each.creator for each in found])
        objects = [wire.organization(each, creators.get(each.creator)) for each in found]
        shown = _part(objects, query)
        return answer(shapes.OrganizationList(start=query.start, count=len(shown), total=len(objects), items=shown))

    async def create_organization(self, call: Call) -> Response:
        asked = await call.body(OrganizationCreation)
        made = await self._accounts.people.create_organization(call.caller, asked.name, asked.description)
        return answer(shapes.organization(made, call.caller.user))

    async def members(self, call: Call) -> Response:
        return await self._members(await self._accounts.people.members(call.caller, _cluster(call)))

    async def give_roles(self, call: Call) -> Response:
        asked = await call.body(RoleGift)
        role = role_named(asked.role)
        found = await self._accounts.people.set_roles(call.caller, asked.usernames, role, _cluster(call))
        return await self._members(found)

    async def remove_member(self, call: Call) -> Response:
        asked = await call.body(MemberRemoval)
        await self._accounts.people.remove_member(call.caller, asked.username, _cluster(call))
        return nothing()

    async def _members(self, found: Sequence[Member]) -> Response:
        creators = await self._accounts.people.by_uid([member.creator for member in found])
        return answer([shapes.member(member, creators) for member in found])

    async def tokens(self, call: Call) -> Response:
        query = call.list_query()
        found = await self._accounts.tokens.list(call.caller)
        kept = [each for each in found if all(word in each.token.name for word in query.keywords)]
        now, organization = self._accounts.clock(), call.caller.organization
        items = [shapes.token(each, organization, now) for each in _part(kept, query)]
        return answer(shapes.ApiTokenList(start=query.start, count=len(items), total=len(kept), items=items))

    async def token(self, call: Call) -> Response:
        owned = await self._accounts.tokens.get(call.caller, call.path("uid"))
        return answer(shapes.token(owned, call.caller.organization, self._accounts.clock()))

    async def create_token(self, call: Call) -> Response:
        asked = await call.body(TokenCreation)
        new = NewToken(
            name=asked.name, description=asked.description or "", scopes=_or(asked.scopes, [ALL_SCOPES]),
            namespaces=asked.namespaces or (), expires_at=_seconds(asked.expired_at),
        )  # fmt: skip
        owned, secret = await self._accounts.tokens.create(call.caller, new)
        return answer(shapes.token(owned, call.caller.organization, self._accounts.clock(), secret))

    async def change_token(self, call: Call) -> Response:
        asked = await call.body(TokenChange)
        owned = await self._accounts.tokens.update(
            call.caller, call.path("uid"), description=asked.description, scopes=asked.scopes,
            expires_at=_seconds(asked.expired_at),
        )  # fmt: skip
        return answer(shapes.token(owned, call.caller.organization, self._accounts.clock()))

    async def revoke_token(self, call: Call) -> Response:
        owned = await self._accounts.tokens.revoke(call.caller, call.path("uid"))
        return answer(shapes.token(owned, call.caller.organization, self._accounts.clock()))

    def operations(self) -> tuple[Operation, ...]:
        """All of them, for the registry's table."""
        return _operations(self)


def logged_in(response: Response, entered: Entered, request: Request) -> Response:
    """The answer with the cookie of a session."""
    response.set_cookie(
        COOKIE, entered.secret, max_age=LIFETIME_S, httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


def own_path(text: str) -> str:
    """A path of ours to go to next; anything that leads elsewhere becomes the front page."""
    is_path = text.startswith("/") and not text.startswith(("//", "/\\")) and "\\" not in text and text.isprintable()
    return text if is_path else "/"


def _address(call: Call) -> str:
    return call.request.client.host if call.request.client else ""


def _cluster(call: Call) -> str:
    return str(call.request.path_params.get("cluster", ""))


def _or(given: list[str] | None, default: list[str]) -> list[str]:
    return default if given is None else given


def _part(items: list[Any], query: ListQuery) -> list[Any]:
    return items[query.start : query.start + query.count if query.count else None]


def _seconds(moment: datetime | None) -> float | None:
    """A time without a zone is UTC's, as clients mean it."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _operations(api: AccountsApi) -> tuple[Operation, ...]:
    def one(method: str, path: str, handler: Any, about: str, **more: Any) -> Operation:
        first, *rest = (handler.__name__ + ("_of_cluster" if "{cluster}" in path else "")).split("_")
        name = first + "".join(word.capitalize() for word in rest)
        return Operation(
            method=method, path=f"/api/v1{path}", handler=handler, name=name, about=about, tag="accounts", **more
        )

    user, organization, token = shapes.UserInFull, shapes.OrganizationInFull, shapes.ApiToken
    member_list, is_public = list[shapes.Member], {"is_public": True}
    members = [
        operation
        for path in ("/members", "/clusters/{cluster}/members")
        for operation in (
            one("GET", path, api.members, "Who has which role.", gives=member_list),
            one("POST", path, api.give_roles, "Give users a role.", takes=RoleGift, gives=member_list),
            one("DELETE", path, api.remove_member, "Take a user's role away.", takes=MemberRemoval),
        )
    ]
    return (
        one("POST", "/setup", api.set_up, "Make the first admin.", takes=Setup, gives=user, refuses=(429,),
            **is_public),
        one("POST", "/auth/register", api.register, "Make an account for oneself, where that is open.",
            takes=Registration, gives=user, refuses=(429,), **is_public),
        one("POST", "/auth/login", api.log_in, "Start a session.", takes=Login, statuses=(303,), refuses=(429,),
            query=(Parameter(name="redirect", about="The path to go to next."),), **is_public),
        one("GET", "/auth/current", api.current, "The caller.", gives=user),
        one("PATCH", "/auth/reset_password", api.reset_password, "Change one's own password.", takes=PasswordChange,
            gives=user, refuses=(429,)),
        one("GET", "/auth/code", api.code, "A code that lets a terminal wait for a person.", gives=CodeAnswer,
            **is_public),
        one("GET", "/auth/token", api.token_of_code, "The token for an approved code, once.", gives=TokenAnswer,
            query=(Parameter(name="code", about="The code."),), **is_public),
        one("GET", "/users", api.users, "Users.", gives=shapes.UserList, query=LIST_QUERY),
        one("POST", "/users", api.create_user, "Add a user.", takes=UserCreation, gives=user),
        one("GET", "/users/{user}", api.user, "A user.", gives=user),
        one("PATCH", "/users/{user}", api.change_user, "Shut a user out, or change what they are.", takes=UserChange,
            gives=user),
        one("GET", "/current_org", api.current_organization, "The caller's organization.", gives=organization),
        one("PATCH", "/current_org", api.change_organization, "Change the caller's organization.",
            takes=OrganizationChange, gives=organization),
        one("GET", "/orgs", api.organizations, "The caller's organizations.", gives=shapes.OrganizationList,
            query=LIST_QUERY),
        one("POST", "/orgs", api.create_organization, "Add an organization.", takes=OrganizationCreation,
            gives=organization),
        *members,
        one("GET", "/api_tokens", api.tokens, "One's own tokens.", gives=shapes.ApiTokenList, query=LIST_QUERY),
        one("POST", "/api_tokens", api.create_token, "Make a token; its secret is shown this once.",
            takes=TokenCreation, gives=token),
        one("GET", "/api_tokens/{uid}", api.token, "A token.", gives=token),
        one("PATCH", "/api_tokens/{uid}", api.change_token, "Change a token.", takes=TokenChange, gives=token),
        one("DELETE", "/api_tokens/{uid}", api.revoke_token, "Revoke a token.", gives=token),
    )  # fmt: skip
