"""Which versions a repository's rules have outlived: a function from values to values."""

from collections.abc import Collection, Sequence

from fairlead.registry.values import Rules, Version

_DAY_S = 86_400.0


def outlived(versions: Sequence[Version], rules: Rules, *, kept: Collection[str], now: float) -> list[Version]:
    """Those to remove. `versions` are all of a repository, the newest first; `kept` are uids of those that something
    else keeps: an alias, a deployment, a bento. What is not complete is nobody's yet, and what is immutable stays."""
    complete = [version for version in versions if version.is_complete]
    surplus = complete[rules.keep_last :] if rules.keep_last is not None else []
    aged = [version for version in complete if _is_aged(version, rules, now)]
    over = {version.uid for version in (*surplus, *aged)}
    return [
        version
        for version in complete
        if version.uid in over
        and version.uid not in kept
        and not version.is_immutable
        and not _is_labelled(version, rules.keep_labelled)
    ]


def _is_aged(version: Version, rules: Rules, now: float) -> bool:
    return rules.max_age_days is not None and version.created_at < now - rules.max_age_days * _DAY_S


def _is_labelled(version: Version, wanted: Collection[str]) -> bool:
    return any(label.key in wanted or f"{label.key}={label.value}" in wanted for label in version.labels)
