"""How people come in: the first set-up, registration where it is open, and logging in with a password.

What a wrong name and a wrong password are told is the same, and takes the same time.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fairlead.errors import AlreadyExists, BadRequest, Forbidden, Unauthorized
from fairlead.registry.accounts.auditing import FAILED, Auditor
from fairlead.registry.accounts.config import AccountsConfig
from fairlead.registry.accounts.guessing import Guesses
from fairlead.registry.accounts.names import check_email, check_name
from fairlead.registry.accounts.passwords import Passwords
from fairlead.registry.accounts.people import DEFAULT, NewUser, People
from fairlead.registry.accounts.sessions import Sessions
from fairlead.registry.callers import Caller, Organization, Role, User
from fairlead.registry.db import Connection, people, tokens
from fairlead.registry.db.engine import Database
from fairlead.registry.db.taken import refused_as

_WRONG = "invalid username or password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Somebody who has just logged in, and the secret of their session."""

    user: User
    secret: str = field(repr=False)


class Entrance:
    """Over one database."""

    def __init__(
        self, database: Database, config: AccountsConfig, everybody: People, sessions: Sessions, passwords: Passwords,
        auditor: Auditor, guesses: Guesses, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._database = database
        self._config = config
        self._people = everybody
        self._sessions = sessions
        self._passwords = passwords
        self._auditor = auditor
        self._guesses = guesses
        self._clock = clock

    @property
    def is_registration_open(self) -> bool:
        return self._config.is_registration_open

    async def set_up(self, token: str, new: NewUser, address: str) -> Entered:
        """Make the first admin a person with a password. Works once."""
        wanted = self._config.setup_token
        if not wanted:
            raise BadRequest("initialization token is not set")
        with self._guesses.counted(address=address, name="setup"):
            if not hmac.compare_digest(token.encode(), wanted.encode()):
                raise BadRequest("invalid token")
        check_name(new.name)
        email = check_email(new.email)
        if not email:
            raise BadRequest("email: must be an address such as ada@example.com")
        hashed = await self._passwords.hash(new.password)
        async with self._database.begin() as connection:
            if await people.is_somebody_set_up(connection):
                raise BadRequest("the setup has been completed long ago")
            caller = await self._first_admin(connection, address)
            with refused_as(f"user {new.name} already exists"):
                await people.update_user(
                    connection, caller.user.uid, self._clock(), name=new.name, email=email, password_hash=hashed,
                    first_name=new.first_name, last_name=new.last_name,
                )  # fmt: skip
            caller = replace(caller, user=replace(caller.user, name=new.name, email=email))
            await self._auditor.record(connection, caller, "set_up", "user", uid=caller.user.uid, name=new.name)
            return await self.admit(connection, caller.user, caller.organization, address, how="setup")

    async def register(self, new: NewUser, address: str) -> Entered:
        """An account that somebody makes for themselves, as a guest of the default organization."""
        if not self._config.is_registration_open:
            raise Forbidden("registration is closed: ask an admin for an account")
        with self._guesses.counted(address=address):
            hashed = await self._passwords.hash(new.password)
        async with self._database.begin() as connection:
            nobody = await self._first_admin(connection, address)
            guest = replace(new, role=Role.GUEST, cluster_role=Role.GUEST, is_admin=False)
            user = await self._people.add(connection, nobody, guest, hashed)
            return await self.admit(connection, user, nobody.organization, address, how="registration")

    async def log_in(self, name_or_email: str, password: str, address: str) -> Entered:
        """By name, or by e-mail address when there is an @ in it."""
        with self._guesses.counted(address=address, name=name_or_email.lower()[:320]):
            user, organization = await self._checked(name_or_email, password, address)
        async with self._database.begin() as connection:
            return await self.admit(connection, user, organization, address, how="password")

    async def change_password(self, caller: Caller, current: str, new: str, session: str = "") -> None:
        """One's own. All other sessions end."""
        with self._guesses.counted(address=caller.address, name=caller.user.name):
            async with self._database.read() as connection:
                known = await people.hash_of(connection, caller.user.uid)
            if not await self._passwords.verify(known, current):
                raise BadRequest("invalid current password")
        hashed = await self._passwords.hash(new)
        async with self._database.begin() as connection:
            await people.update_user(connection, caller.user.uid, self._clock(), password_hash=hashed)
            await tokens.delete_sessions(connection, caller.user.uid, but=session)
            await self._auditor.record(
                connection, caller, "password_set", "user", uid=caller.user.uid, name=caller.user.name
            )

    async def admit(
        self, connection: Connection, user: User, organization: Organization, address: str, *, how: str
    ) -> Entered:
        """Start a session, and say so in the log."""
        secret = await self._sessions.start(connection, user, organization, address)
        caller = Caller(user=user, organization=organization, address=address)
        await self._auditor.record(
            connection, caller, "logged_in", "user", uid=user.uid, name=user.name, info={"how": how}
        )
        return Entered(user=user, secret=secret)

    async def _checked(self, name: str, password: str, address: str) -> tuple[User, Organization]:
        is_email = "@" in name
        async with self._database.read() as connection:
            user = await people.find_user(connection, email=name.lower()) if is_email else None
            user = await people.find_user(connection, name=name) if name and not is_email else user
            known = await people.hash_of(connection, user.uid) if user else ""
            is_set_up = await people.is_somebody_set_up(connection)
            organizations = await people.list_organizations(connection, user.uid) if user else []
            default = await people.find_organization(connection, name=DEFAULT)
        if user is not None and not is_set_up:
            raise BadRequest(f"user {user.name} email is empty, it looks like yatai did not complete the setup process")
        is_right = await self._passwords.verify(known, password)
        organization = next(iter(organizations), default)
        if not is_right or user is None or user.disabled_at is not None or organization is None:
            await self._note_failure(user, organization or default, address)
            raise Unauthorized(_WRONG)
        return user, organization

    async def _note_failure(self, user: User | None, organization: Organization | None, address: str) -> None:
        """Failures against people who exist: of names that do not, anybody could write as many as they like."""
        if user is None or organization is None:
            return
        caller = Caller(user=user, organization=organization, address=address)
        async with self._database.begin() as connection:
            await self._auditor.record(
                connection, caller, "logged_in", "user", uid=user.uid, name=user.name, status=FAILED
            )

    async def _first_admin(self, connection: Connection, address: str) -> Caller:
        users = await people.list_users(connection)
        organization = await people.find_organization(connection, name=DEFAULT)
        admin = next((user for user in users if user.is_admin), None)
        if admin is None or organization is None:
            raise AlreadyExists("there is no first admin to set up")
        return Caller(user=admin, organization=organization, role=Role.ADMIN, is_superuser=True, address=address)
