"""Keep secrets out of what people read: values of credentials, signed URLs, passwords in URLs."""

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from fairlead.storage.uris import without_secrets

_SECRET_NAME = re.compile(
    r"KEY|SECRET|TOKEN|PASS|CREDENTIAL|SAS|SIGNATURE|CONNECTION_STRING|AUTH|HEADERS", re.IGNORECASE
)
# Words such as "true" or a port are not secrets even under a secret's name.
_SHORTEST_SECRET = 6
_URL = re.compile(r"https?://[^\s'\"<>)\]]+", re.IGNORECASE)
_LONGEST_MESSAGE = 600


def secrets_of(env: Mapping[str, str]) -> tuple[str, ...]:
    """The values of an environment that must not be shown, the longest first."""
    found = {value for name, text in env.items() if _SECRET_NAME.search(name) for value in _parts(text)}
    return tuple(sorted((value for value in found if len(value) >= _SHORTEST_SECRET), key=len, reverse=True))


def secrets_of_query(query: str) -> tuple[str, ...]:
    """The values of a URL's query: signatures and tokens live there, and servers repeat them in their errors."""
    raw = [part.partition("=")[2] for part in query.split("&")]
    values = {*raw, *(unquote(value) for value in raw), query}
    return tuple(sorted((value for value in values if len(value) >= _SHORTEST_SECRET), key=len, reverse=True))


def cleaned(text: str, secrets: tuple[str, ...]) -> str:
    """The text on one line of bounded length, without those values and without queries and passwords of URLs."""
    for secret in secrets:
        text = text.replace(secret, "***")
    text = _URL.sub(lambda match: without_secrets(match[0]), text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


def _parts(text: str) -> Iterator[str]:
    """The value, and what is inside of signed URLs, connection strings and JSON."""
    yield text.strip()
    if "?" in text:
        yield from secrets_of_query(text.partition("?")[2].strip())
    yield from (part.partition("=")[2] for part in text.split(";") if "=" in part)
    try:
        inner = json.loads(text)
    except ValueError:
        return
    if isinstance(inner, dict):
        for name, value in inner.items():
            if isinstance(value, str) and _SECRET_NAME.search(name):
                yield value
                yield from (line for line in value.splitlines() if "-----" not in line)
