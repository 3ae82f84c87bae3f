"""API tokens: made once, shown once, kept as a digest. A token never reaches further than whoever makes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fairlead.errors import AlreadyExists, BadRequest, Forbidden, NotFound
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.accounts.digests import digest_of, new_secret
from fairlead.registry.accounts.names import check_name
from fairlead.registry.callers import ALL_SCOPES, SCOPES, Caller, User, Verb
from fairlead.registry.db import Connection, people, tokens
from fairlead.registry.db.engine import Database
from fairlead.registry.db.taken import refused_as
from fairlead.registry.db.tokens import Purpose, Token
from fairlead.registry.uids import new_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to be. No namespaces means all; no `expires_at` means that it lasts until it is revoked."""

    name: str
    description: str = ""
    scopes: Sequence[str] = (ALL_SCOPES,)
    namespaces: Sequence[str] = ()
    expires_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A token and whose it is."""

    token: Token
    user: User


class Tokens:
    """The API tokens of one database. People see and change their own; who may do everything, all of them."""

    def __init__(self, database: Database, auditor: Auditor, clock: Callable[[], float]) -> None:
        self._database = database
        self._auditor = auditor
        self._clock = clock

    async def create(self, caller: Caller, new: NewToken, *, user: str = "") -> tuple[Owned, str]:
        """A token and its secret, which nobody sees again. `user` makes it for somebody else."""
        self._require_whole(caller)
        _check(new, caller, self._clock())
        if user and user != caller.user.name and not caller.is_superuser:
            caller.require(Verb.OPERATE, "user", user)
            raise Forbidden(f"user {caller.user.name} cannot operate this user: {user}")
        secret = new_secret()
        async with self._database.begin() as connection:
            owner = await self._owner(connection, caller, user)
            made = await self.add(connection, caller, owner, new, secret)
        return made, secret

    async def add(self, connection: Connection, caller: Caller, owner: User, new: NewToken, secret: str) -> Owned:
        """Write a token down with its event, in the caller's transaction."""
        taken = f"api token {new.name} already exists"
        if await tokens.find_named(connection, caller.organization.uid, owner.uid, new.name):
            raise AlreadyExists(taken)
        now = self._clock()
        token = Token(
            uid=new_uid(self._clock), created_at=now, updated_at=now, organization=caller.organization.uid,
            user=owner.uid, purpose=Purpose.API, name=new.name, description=new.description,
            scopes=tuple(new.scopes), namespaces=tuple(new.namespaces), expires_at=new.expires_at,
        )  # fmt: skip
        with refused_as(taken):
            await tokens.insert(connection, token, digest_of(secret))
        info = {"user": owner.name, "scopes": list(token.scopes), "namespaces": list(token.namespaces)}
        await self._auditor.record(
            connection, caller, "created", "api_token", uid=token.uid, name=token.name, info=info
        )
        return Owned(token=token, user=owner)

    async def list(self, caller: Caller, *, everybodys: bool = False) -> list[Owned]:
        """Newest first."""
        self._require_whole(caller)
        is_all = everybodys and caller.is_superuser
        async with self._database.read() as connection:
            found = await tokens.list_api(connection, caller.organization.uid, "" if is_all else caller.user.uid)
            users = await people.names_of(connection, [token.user for token in found])
        return [Owned(token=token, user=users[token.user]) for token in found]

    async def get(self, caller: Caller, uid: str) -> Owned:
        """By uid. Somebody else's is not found."""
        for owned in await self.list(caller, everybodys=True):
            if owned.token.uid == uid:
                return owned
        raise NotFound(f"get api token {uid}: record not found")

    async def update(
        self, caller: Caller, uid: str, *, description: str | None = None, scopes: Sequence[str] | None = None,
        expires_at: float | None = None,
    ) -> Owned:  # fmt: skip
        """Change what is given; None leaves it."""
        token = (await self.get(caller, uid)).token
        wanted = NewToken(
            name=token.name, scopes=token.scopes if scopes is None else scopes, namespaces=token.namespaces,
            expires_at=token.expires_at if expires_at is None else expires_at,
        )  # fmt: skip
        _check(wanted, caller, None)
        changes = {"description": description, "scopes": scopes, "expires_at": expires_at}
        given = {key: value for key, value in changes.items() if value is not None}
        async with self._database.begin() as connection:
            await tokens.update(connection, uid, self._clock(), **given)
            await self._auditor.record(connection, caller, "updated", "api_token", uid=uid, name=token.name)
        return await self.get(caller, uid)

    async def revoke(self, caller: Caller, uid: str) -> Owned:
        """End a token at once."""
        owned = await self.get(caller, uid)
        async with self._database.begin() as connection:
            if not await tokens.delete(connection, uid):
                raise NotFound(f"get api token {uid}: record not found")
            await self._auditor.record(
                connection, caller, "deleted", "api_token", uid=uid, name=owned.token.name,
                info={"user": owned.user.name},
            )  # fmt: skip
        return owned

    async def _owner(self, connection: Connection, caller: Caller, name: str) -> User:
        if not name or name == caller.user.name:
            return caller.user
        user = await people.find_user(connection, name=name)
        if user is None:
            raise NotFound(f"get user {name}: record not found")
        return user

    @staticmethod
    def _require_whole(caller: Caller) -> None:
        """A narrow token must not make itself another that outlives or outreaches it."""
        if ALL_SCOPES not in caller.scopes:
            raise Forbidden(f"the api_token need the scopes: {ALL_SCOPES}")


def _check(new: NewToken, caller: Caller, now: float | None) -> None:
    check_name(new.name)
    if not new.scopes or (unknown := [scope for scope in new.scopes if scope not in SCOPES]):
        bad = f"{unknown[0]!r} is none" if new.scopes else "there must be one"
        raise BadRequest(f"scopes: {bad}; accepted are {', '.join(SCOPES)}")
    for namespace in new.namespaces:
        check_name(namespace, "namespace")
    if now is not None and new.expires_at is not None and new.expires_at <= now:
        raise BadRequest("expired_at: must be in the future")
    if caller.namespaces and (not new.namespaces or set(new.namespaces) - set(caller.namespaces)):
        raise Forbidden("the api_token reaches only the namespaces " + ", ".join(caller.namespaces))
    ends = caller.token_expires_at
    if ends is not None and (new.expires_at is None or new.expires_at > ends):
        raise Forbidden("the api_token cannot make one that lasts longer than itself")
