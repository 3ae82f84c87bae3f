"""rclone's remotes as environment variables: `RCLONE_CONFIG_<REMOTE>_<OPTION>`, read without rclone.

Secrets made for rclone's init container keep working: the names of remotes in URIs are looked up as rclone does
(upper case, `-` as `_`). Values are never put into messages, only the names of variables.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fairlead.errors import StorageError

PREFIX = "RCLONE_CONFIG_"
_OPTION = re.compile(r"[A-Z0-9_]+")
_RUNS_PROGRAMS = re.compile(r"(_COMMAND|^COMMAND|^SSH|_HELPER)$")
_TRUE = frozenset({"1", "t", "true", "yes", "on"})
_FALSE = frozenset({"0", "f", "false", "no", "off", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """One remote's type and options, by their rclone names in upper case. `type` is empty if TYPE is not set."""

    name: str
    type: str
    options: Mapping[str, str] = field(repr=False)

    def variable(self, option: str) -> str:
        """The environment variable that sets an option of this remote."""
        return f"{PREFIX}{self.name}_{option}"

    def text(self, option: str) -> str:
        """An option's value, empty when it is not set."""
        return self.options.get(option, "").strip()

    def is_on(self, option: str, *, default: bool = False) -> bool:
        """A boolean option."""
        return truth(self.variable(option), self.options.get(option, "true" if default else "false"))

    def other_than(self, known: frozenset[str]) -> list[str]:
        """Options that are set, mean something, and are not among these."""
        return sorted(name for name, value in self.options.items() if name not in known and value.strip())


def truth(variable: str, value: str) -> bool:
    """Read a boolean as rclone and the legacy annotations write it."""
    text = value.strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise StorageError(f"{variable} must be true or false")


def remote_name(written: str) -> str:
    """The name of a remote as its environment variables spell it."""
    return written.upper().replace("-", "_")


def configured(env: Mapping[str, str]) -> dict[str, Remote]:
    """Every remote that has a TYPE. Options go to the remote with the longest matching name."""
    names = [key.removeprefix(PREFIX).removesuffix("_TYPE") for key in env if _names_a_type(key)]
    return {name: _remote(name, env, others=names) for name in sorted(names)}


def partly_configured(name: str, env: Mapping[str, str]) -> Remote | None:
    """The remote of that name, with or without a TYPE; `None` if no variable speaks of it."""
    remotes = configured(env)
    if name in remotes:
        return remotes[name]
    remote = _remote(name, env, others=list(remotes))
    return remote if remote.options else None


def _names_a_type(key: str) -> bool:
    return key.startswith(PREFIX) and key.endswith("_TYPE") and len(key) > len(f"{PREFIX}_TYPE")


def _remote(name: str, env: Mapping[str, str], *, others: list[str]) -> Remote:
    mine = f"{PREFIX}{name}_"
    longer = tuple(f"{PREFIX}{other}_" for other in others if other.startswith(f"{name}_"))
    options = {
        key.removeprefix(mine): value
        for key, value in env.items()
        if key.startswith(mine) and not key.startswith(longer) and _OPTION.fullmatch(key.removeprefix(mine))
    }
    for option in options:
        if _RUNS_PROGRAMS.search(option):
            raise StorageError(f"{mine}{option}: refused: it makes rclone run a program; give the credential itself")
    kind = options.pop("TYPE", "").strip()
    return Remote(name=name, type=kind, options=options)


def unknown_remote(uri: str, written: str, env: Mapping[str, str]) -> StorageError:
    """Says which variable would define the remote, and which remotes there are."""
    there = ", ".join(configured(env)) or "none"
    return StorageError(
        f"Cannot recognize storage type for {uri}: no remote {written!r} is configured: put "
        f"{PREFIX}{remote_name(written)}_TYPE (and the remote's other options) into the Secret that the manifest "
        f"names; configured remotes: {there}"
    )
