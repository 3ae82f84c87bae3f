"""`fairlead user`: the people of this machine's installation, and what they may do."""

import getpass
import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.accounts import ConfigOption, HomeOption, with_accounts
from fairlead.cli.exits import UsageError
from fairlead.registry.accounts.people import DEFAULT, NewUser
from fairlead.registry.accounts.service import Accounts
from fairlead.registry.callers import Caller, Role, User

RoleName = Literal["guest", "developer", "admin"]
UserName = Annotated[str, Parameter(name="NAME")]


def add(
    name: UserName,
    /,
    *,
    email: str = "",
    role: RoleName = "developer",
    superuser: Annotated[bool, Parameter(negative="")] = False,
    password_stdin: Annotated[bool, Parameter(negative="")] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
) -> int:
    """Add a user, with the role in the organization and in its cluster.

    Parameters
    ----------
    name
        A name of small letters, digits and dashes.
    email
        E-mail address; people may log in by it.
    role
        guest (look), developer (push and deploy too; the default) or admin (terminate, delete and manage people too).
    superuser
        May do everything, users included.
    password_stdin
        Read a password from standard input; without one the user has tokens alone.
    home
        Where the installation keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """
    given = Role(role)
    new = NewUser(
        name=name, email=email, role=given, cluster_role=given, is_admin=superuser,
        password=_password_from_stdin() if password_stdin else "",
    )  # fmt: skip

    async def work(accounts: Accounts, caller: Caller) -> User:
        return await accounts.people.create(caller, new)

    made = with_accounts(home, config, work)
    output.note(f"user {made.name} is added; `fairlead token create --user {made.name}` makes a token")
    return 0


def list_(*, home: HomeOption = None, config: ConfigOption = None) -> int:
    """List users and their roles, oldest first.

    Parameters
    ----------
    home
        Where the installation keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """

    async def work(accounts: Accounts, caller: Caller) -> tuple[list[User], dict[str, str], dict[str, str]]:
        users = (await accounts.people.list(caller)).items
        roles = [
            {member.user.uid: str(member.role) for member in await accounts.people.members(caller, cluster)}
            for cluster in ("", DEFAULT)
        ]
        return list(users), roles[0], roles[1]

    users, in_organization, in_cluster = with_accounts(home, config, work)
    columns = output.Columns(("name", "email", "role", "role in cluster", "state"))
    columns.print(
        (
            user.name,
            user.email or "-",
            "superuser" if user.is_admin else in_organization.get(user.uid, "-"),
            in_cluster.get(user.uid, "-"),
            "disabled" if user.disabled_at is not None else "active",
        )
        for user in users
    )
    return 0


def role(
    name: UserName,
    role: Annotated[RoleName, Parameter(name="ROLE")],
    /,
    *,
    cluster: str = "",
    superuser: bool | None = None,
    home: HomeOption = None,
    config: ConfigOption = None,
) -> int:
    """Give a user another role.

    Parameters
    ----------
    name
        The user.
    role
        guest, developer or admin.
    cluster
        In this cluster alone (default: in the organization and in the cluster default).
    superuser
        Whether they may do everything, or no longer (default: as it is).
    home
        Where the installation keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """

    async def work(accounts: Accounts, caller: Caller) -> None:
        for place in [cluster] if cluster else ["", DEFAULT]:
            await accounts.people.set_roles(caller, [name], Role(role), place)
        if superuser is not None:
            await accounts.people.set_superuser(caller, name, is_admin=superuser)

    with_accounts(home, config, work)
    output.note(f"user {name} is {role}{f' in cluster {cluster}' if cluster else ''}")
    return 0


def disable(
    name: UserName,
    /,
    *,
    undo: Annotated[bool, Parameter(negative="")] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
) -> int:
    """Shut a user out at once, with all their tokens and sessions.

    Parameters
    ----------
    name
        The user.
    undo
        Let them in again.
    home
        Where the installation keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """

    async def work(accounts: Accounts, caller: Caller) -> None:
        await accounts.people.set_disabled(caller, name, is_disabled=not undo)

    with_accounts(home, config, work)
    output.note(f"user {name} is {'enabled' if undo else 'disabled'}")
    return 0


def passwd(name: UserName, /, *, home: HomeOption = None, config: ConfigOption = None) -> int:
    """Give a user a password, asked for at the terminal or read from standard input.

    Parameters
    ----------
    name
        The user.
    home
        Where the installation keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """
    password = _asked_for() if sys.stdin.isatty() else _password_from_stdin()

    async def work(accounts: Accounts, caller: Caller) -> None:
        await accounts.people.set_password(caller, name, password)

    with_accounts(home, config, work)
    output.note(f"user {name} has a new password; their sessions have ended")
    return 0


def _asked_for() -> str:
    first = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != first:
        raise UsageError("the two are not the same")
    return first


def _password_from_stdin() -> str:
    return sys.stdin.readline().rstrip("\r\n")
