"""Who may send requests to what a plan runs."""

from dataclasses import dataclass
from enum import StrEnum


class AccessMode(StrEnum):
    NONE = "none"
    """Whoever reaches the gateway."""
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    """Who has a token of this installation that reaches the namespace."""
    JWT = "jwt"
    """Who has a token that an issuer signed for an audience."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """`issuer` and `audience` go with JWT alone."""

    mode: AccessMode = AccessMode.NONE
    issuer: str = ""
    audience: str = ""


OPEN = Access()
