"""Questions that every router's module asks of a rule's backings."""

from collections.abc import Sequence

from fairlead.plan.layout import Backing, Exposure, Rule


def hosts_of(exposure: Exposure, rule: Rule) -> tuple[str, ...]:
    """The hosts that a rule is for; empty for any."""
    hosts = rule.hosts or exposure.hosts
    return () if "*" in hosts else hosts


def by_hosts(exposure: Exposure) -> dict[tuple[str, ...], list[Rule]]:
    """The rules that are for the same hosts, together, in the order they were given."""
    groups: dict[tuple[str, ...], list[Rule]] = {}
    for rule in exposure.rules:
        groups.setdefault(hosts_of(exposure, rule), []).append(rule)
    return groups


def percentages(backings: Sequence[Backing]) -> list[int]:
    """The weights as whole percentages that add up to 100; all zero where no backing has any."""
    total = sum(backing.weight for backing in backings)
    if total <= 0:
        return [0] * len(backings)
    shares = [backing.weight * 100 // total for backing in backings]
    heaviest = max(range(len(backings)), key=lambda index: backings[index].weight)
    shares[heaviest] += 100 - sum(shares)
    return shares


def prefix_of(rule: Rule) -> str:
    """The path prefix without the slash that it may end with; a slash alone for every path."""
    return rule.path_prefix.rstrip("/") or "/"
