"""Turns what a unit's environment refers to into values, and says clearly what is missing.

Values of Secrets are returned apart as well, so that nothing that is shown to people repeats them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairlead.backends.base import Lookup
from fairlead.errors import NotFound
from fairlead.plan.model import EnvFrom, EnvVar, KeyRef

_SHORTEST_SECRET = 4


class MissingReference(NotFound):
    """A Secret, ConfigMap, claim or key of one that a manifest refers to and that does not exist."""

    reason = "MissingReference"


@dataclass(slots=True)
class Resolved:
    """Variables with their values, and which of the values are secret."""

    values: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)


class Resolver:
    """Reads the objects of one namespace, each at most once."""

    def __init__(self, lookup: Lookup, namespace: str) -> None:
        self._lookup, self._namespace = lookup, namespace
        self._seen: dict[tuple[str, str], Mapping[str, bytes] | None] = {}

    async def resolve(self, env: Iterable[EnvVar], env_from: Iterable[EnvFrom]) -> Resolved:
        """Whole objects first, single variables over them. Raises `MissingReference`."""
        resolved = Resolved()
        for source in env_from:
            values = await self.values(source.kind, source.name, optional=source.optional)
            self._add(resolved, source.kind, {source.prefix + key: value for key, value in values.items()})
        for variable in env:
            if variable.source is None:
                resolved.values[variable.name] = variable.value
                continue
            value = await self._value(variable.source)
            if value is not None:
                self._add(resolved, variable.source.kind, {variable.name: value})
        return resolved

    async def values(self, kind: str, name: str, *, optional: bool = False) -> Mapping[str, str]:
        """All of a Secret or ConfigMap as text."""
        contents = await self.contents(kind, name, optional=optional)
        return {key: value.decode("utf-8", "replace") for key, value in contents.items()}

    async def contents(self, kind: str, name: str, *, optional: bool = False) -> Mapping[str, bytes]:
        """All of a Secret or ConfigMap as it is."""
        if (kind, name) not in self._seen:
            self._seen[kind, name] = await self._read(kind, name)
        contents = self._seen[kind, name]
        if contents is None and not optional:
            raise MissingReference(f"{kind} {name!r} does not exist in namespace {self._namespace!r}")
        return contents or {}

    async def _value(self, source: KeyRef) -> str | None:
        values = await self.values(source.kind, source.name, optional=source.optional)
        value = values.get(source.key)
        if value is None and not source.optional:
            keys = ", ".join(sorted(values)) or "none"
            raise MissingReference(f"{source.kind} {source.name!r} has no key {source.key!r}; its keys: {keys}")
        return value

    async def _read(self, kind: str, name: str) -> Mapping[str, bytes] | None:
        if kind == "Secret":
            secret = await self._lookup.secret(self._namespace, name)
            return None if secret is None else secret.values
        values = await self._lookup.config_map(self._namespace, name)
        return None if values is None else {key: value.encode() for key, value in values.items()}

    @staticmethod
    def _add(resolved: Resolved, kind: str, values: Mapping[str, str]) -> None:
        resolved.values.update(values)
        if kind == "Secret":
            resolved.secrets.update(worth_hiding(values.values()))


def worth_hiding(values: Iterable[str]) -> set[str]:
    """Secret values that are long enough to be told from ordinary words."""
    return {value for value in values if len(value) >= _SHORTEST_SECRET}


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret value in it replaced."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    return text
