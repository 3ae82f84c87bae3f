"""What a provider says of somebody, as a user and a role of ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.errors import BadRequest, Forbidden, NotFound
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.accounts.config import Provider
from fairlead.registry.accounts.entering import Entered, Entrance
from fairlead.registry.accounts.names import check_email, name_from
from fairlead.registry.accounts.people import DEFAULT, NewUser, People
from fairlead.registry.callers import Caller, Organization, Role, User
from fairlead.registry.db import Connection, people
from fairlead.registry.db.engine import Database
from fairlead.registry.db.taken import refused_as
from fairlead.registry.uids import new_uid

_RANK = {role: rank for rank, role in enumerate((Role.GUEST, Role.DEVELOPER, Role.ADMIN))}
_NAMES_TRIED = 50


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of a verified token."""

    all: Mapping[str, Any]

    def text(self, name: str) -> str:
        value = self.all.get(name)
        return value.strip() if isinstance(value, str) else ""

    def words(self, name: str) -> frozenset[str]:
        """A list of texts, or a single one."""
        value = self.all.get(name, ())
        listed = [value] if isinstance(value, str) else value
        return frozenset(word for word in listed if isinstance(word, str)) if isinstance(listed, list) else frozenset()

    @property
    def verified_email(self) -> str:
        """Empty unless the provider vouches for it."""
        if self.all.get("email_verified") is not True:
            return ""
        try:
            return check_email(self.text("email"))
        except BadRequest:
            return ""


def role_of(provider: Provider, claims: Claims) -> Role | None:
    """The highest role of the person's groups, or the provider's default; None for nobody of ours."""
    groups = claims.words(provider.groups_claim)
    found = [role for group, role in provider.roles if group in groups]
    found += [provider.default_role] if provider.default_role else []
    found += [Role.ADMIN] if groups & set(provider.admin_groups) else []
    return max(found, key=lambda role: _RANK[role], default=None)


class Joining:
    """Finds or makes the user, brings the role up to date, and starts a session."""

    def __init__(
        self, database: Database, everybody: People, entrance: Entrance, auditor: Auditor, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._people = everybody
        self._entrance = entrance
        self._auditor = auditor
        self._clock = clock

    async def enter(self, provider: Provider, claims: Claims, address: str) -> Entered:
        """Raises Forbidden for who has no role here, or is shut out."""
        role = role_of(provider, claims)
        if role is None:
            raise Forbidden(f"none of your groups at {provider.title} has a role here")
        async with self._database.begin() as connection:
            organization = await people.find_organization(connection, name=DEFAULT)
            if organization is None:
                raise NotFound("organization default: record not found")
            user = await self._user(connection, provider, claims, organization, role, address)
            if user.disabled_at is not None:
                raise Forbidden("this user may not log in")
            await self._follow_groups(connection, provider, claims, user, organization, role, address)
            return await self._entrance.admit(connection, user, organization, address, how=f"oidc {provider.name}")

    async def _user(
        self, connection: Connection, provider: Provider, claims: Claims, organization: Organization, role: Role,
        address: str,
    ) -> User:  # fmt: skip
        subject = claims.text("sub")
        known = await people.find_identity(connection, provider.issuer, subject)
        if known is not None:
            return known
        email = claims.verified_email
        user = await people.find_user(connection, email=email) if email else None
        if user is not None and user.is_admin:
            raise Forbidden("an account that may do everything has this e-mail address, and is not joined by it")
        if user is None:
            user = await self._made(connection, provider, claims, organization, role, address)
        with refused_as("this person is logging in elsewhere at this moment: try again"):
            await people.insert_identity(connection, provider.issuer, subject, user.uid, self._clock())
        return user

    async def _made(
        self, connection: Connection, provider: Provider, claims: Claims, organization: Organization, role: Role,
        address: str,
    ) -> User:  # fmt: skip
        name = await self._free_name(connection, name_from(claims.text(provider.name_claim) or claims.text("email")))
        new = NewUser(
            name=name, email=claims.verified_email, first_name=claims.text("given_name"),
            last_name=claims.text("family_name"), role=role, cluster_role=role,
        )  # fmt: skip
        # Nobody made this account but the provider: its event is the new user's own, who is not there yet.
        nobody = User(uid="", name=provider.title, created_at=self._clock(), updated_at=self._clock())
        return await self._people.add(
            connection, Caller(user=nobody, organization=organization, address=address), new, ""
        )

    async def _free_name(self, connection: Connection, wanted: str) -> str:
        wanted = wanted or "user"
        for number in range(1, _NAMES_TRIED):
            name = wanted if number == 1 else f"{wanted[:58]}-{number}"
            if await people.find_user(connection, name=name) is None:
                return name
        return f"{wanted[:50].rstrip('-')}-{new_uid(self._clock)[-10:]}"

    async def _follow_groups(
        self, connection: Connection, provider: Provider, claims: Claims, user: User, organization: Organization,
        role: Role, address: str,
    ) -> None:  # fmt: skip
        """Groups that are mapped decide at every login; a default role only at the first."""
        caller = Caller(user=user, organization=organization, address=address)
        if provider.roles and (await people.roles_of(connection, organization.uid, user.uid)).get("") is not role:
            await self._people.give_role(connection, caller, user, role)
        if not provider.admin_groups:
            return
        await people.lock_admins(connection)
        is_admin = bool(claims.words(provider.groups_claim) & set(provider.admin_groups))
        if is_admin != user.is_admin and (is_admin or await people.count_admins(connection) > 1):
            await people.update_user(connection, user.uid, self._clock(), is_admin=is_admin)
            info = {"is_super_admin": is_admin, "by": provider.name}
            await self._auditor.record(connection, caller, "updated", "user", uid=user.uid, name=user.name, info=info)
