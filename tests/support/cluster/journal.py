"""Every request that came, for tests that count calls."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request and the code it was answered with (0 for a connection that was broken)."""

    verb: str
    resource: str
    namespace: str
    name: str
    subresource: str
    code: int
    user: str
    agent: str


@dataclass
class Journal:
    """The requests in their order; a bounded run keeps all of them."""

    entries: list[Entry] = field(default_factory=list)
    keeps_entries: bool = True
    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    def note(self, entry: Entry) -> None:
        """Write down a request."""
        resource = f"{entry.resource}/{entry.subresource}" if entry.subresource else entry.resource
        self.counts[(entry.verb, resource, entry.code)] += 1
        if self.keeps_entries:
            self.entries.append(entry)

    def clear(self) -> None:
        """Begin again."""
        self.entries.clear()
        self.counts.clear()

    def of(self, verb: str = "", resource: str = "") -> list[Entry]:
        """Requests with this verb, for this resource (`deployments.apps`)."""
        return [item for item in self.entries if verb in ("", item.verb) and resource in ("", item.resource)]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def by_verb(self) -> dict[str, int]:
        """How many requests of each verb."""
        found: Counter[str] = Counter()
        for (verb, _, _), count in self.counts.items():
            found[verb] += count
        return dict(found)
