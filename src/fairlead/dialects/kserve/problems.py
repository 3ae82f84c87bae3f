"""Refusals in the words of a validating webhook, all of a document's at once."""

import json
from collections.abc import Iterable

from fairlead.errors import InvalidManifest, Problem, Where


def problem(path: str, message: str) -> Problem:
    """A broken rule, at the path of a field. The message is the webhook's whole text."""
    return Problem(where=Where(path=path), message=message, field=path)


def refuse(problems: Iterable[Problem]) -> None:
    """Raise `InvalidManifest` when there are any. A single one is told as the webhook tells it; of several, which a
    webhook would tell one at a time, the texts are listed."""
    found = list(problems)
    if not found:
        return
    texts = list(dict.fromkeys(item.message for item in found))
    raise InvalidManifest(found, message=texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")


def go_quoted(text: str) -> str:
    """Text as Go's `%q` writes it."""
    return json.dumps(text, ensure_ascii=False)
