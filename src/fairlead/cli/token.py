"""`fairlead token`: API tokens of this machine's installation.

`create` prints the token and nothing else on stdout, so that it can stand inside another command.
"""

import time
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.accounts import ConfigOption, HomeOption, with_accounts
from fairlead.cli.durations import seconds
from fairlead.cli.exits import UsageError
from fairlead.errors import NotFound
from fairlead.registry.accounts.service import Accounts
from fairlead.registry.accounts.tokens import NewToken, Owned
from fairlead.registry.callers import ALL_SCOPES, Caller
from fairlead.registry.uids import new_uid

_DAY_S = 86400.0


def create(
    *,
    user: str = "",
    name: str = "",
    scopes: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False)] = (),
    namespaces: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False)] = (),
    expires: str = "",
    description: str = "",
    home: HomeOption = None,
    config: ConfigOption = None,
) -> int:
    """Make an API token and print it, this once.

    Parameters
    ----------
    user
        Whose token it is (default: the first admin, who may do everything).
    name
        Its name among that user's tokens (default: one is made up).
    scopes
        What it may do, at most: api (everything, the default), or read_, write_ and operate_ with organization or
        cluster. Give it again, or separate with commas.
    namespaces
        The namespaces it reaches (default: all). Give it again, or separate with commas.
    expires
        After how long it ends, such as 90d, 12h or 30m (default: never).
    description
        What it is for.
    home
        Where the installation keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """
    new = NewToken(
        name=name or f"token-{new_uid()[-8:]}",
        description=description,
        scopes=_words(scopes) or (ALL_SCOPES,),
        namespaces=_words(namespaces),
        expires_at=time.time() + lifetime(expires) if expires else None,
    )

    async def work(accounts: Accounts, caller: Caller) -> tuple[Owned, str]:
        return await accounts.tokens.create(caller, new, user=user)

    owned, secret = with_accounts(home, config, work)
    output.note(f"{_about(owned)}; `fairlead token revoke {owned.token.name}` ends it")
    output.say(secret)
    return 0


def list_(*, home: HomeOption = None, config: ConfigOption = None) -> int:
    """List API tokens, everybody's, newest first. Their secrets are not kept.

    Parameters
    ----------
    home
        Where the installation keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """

    async def work(accounts: Accounts, caller: Caller) -> list[Owned]:
        return await accounts.tokens.list(caller, everybodys=True)

    found = with_accounts(home, config, work)
    if not found:
        output.note("There are no tokens; `fairlead token create` makes one.")
        return 0
    now = time.time()
    columns = output.Columns(("name", "user", "scopes", "namespaces", "expires", "last used", "from"))
    columns.print(_row(owned, now) for owned in found)
    return 0


def revoke(
    names: Annotated[tuple[str, ...], Parameter(name="NAME", negative="")],
    /,
    *,
    user: str = "",
    home: HomeOption = None,
    config: ConfigOption = None,
) -> int:
    """End API tokens at once, in a server that runs too.

    Parameters
    ----------
    names
        Names of tokens, or their uids.
    user
        Whose they are, when several users have one of that name.
    home
        Where the installation keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """
    if not names:
        raise UsageError("name the tokens to revoke; `fairlead token list` shows them")

    async def work(accounts: Accounts, caller: Caller) -> list[Owned]:
        found = await accounts.tokens.list(caller, everybodys=True)
        chosen = [_chosen(found, name, user) for name in names]
        return [await accounts.tokens.revoke(caller, each.token.uid) for each in chosen]

    for owned in with_accounts(home, config, work):
        output.note(f"{_about(owned)} is revoked")
    return 0


def lifetime(text: str) -> float:
    """A duration in seconds; days as `90d`. Raises UsageError."""
    days = text.removesuffix("d")
    if days != text and days.isascii() and days.isdigit():
        return int(days) * _DAY_S
    return seconds(text)


def _words(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for each in given for word in each.split(",") if word)


def _chosen(found: list[Owned], name: str, user: str) -> Owned:
    fitting = [each for each in found if name in (each.token.name, each.token.uid) and user in ("", each.user.name)]
    if not fitting:
        raise NotFound(f"there is no token {name}; `fairlead token list` shows those that there are")
    if len(fitting) > 1:
        users = ", ".join(sorted(each.user.name for each in fitting))
        raise UsageError(f"several users have a token {name}: choose with --user ({users})")
    return fitting[0]


def _about(owned: Owned) -> str:
    return f"token {owned.token.name} of {owned.user.name}"


def _row(owned: Owned, now: float) -> tuple[str, ...]:
    token = owned.token
    ends = "expired" if token.is_expired(now) else _day(token.expires_at, "never")
    reach = ",".join(token.namespaces) or "all"
    used = _day(token.last_used_at, "never")
    return token.name, owned.user.name, ",".join(token.scopes), reach, ends, used, token.last_used_from or "-"


def _day(seconds_: float | None, none: str) -> str:
    return none if seconds_ is None else datetime.fromtimestamp(seconds_, UTC).strftime("%Y-%m-%d %H:%M")
