"""What to write and what to delete, so that the cluster has what is wanted: a function from values to values.

The order is what keeps requests answered. New workloads come first; what they replace goes when they are ready, and
what leads to them (Services with another selector, ways in) changes then too. A reconcile does what can be done now;
the rest follows when the cluster tells of the next change.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.backends.kubernetes.operator.comparing import contains, fingerprint, mark_of, project
from fairlead.backends.kubernetes.operator.readiness import is_ready, is_workload
from fairlead.backends.kubernetes.operator.resources import CONFIG_MAP, JOB, SERVICE, ObjectKey, TypeKey, key_of

Json = Mapping[str, Any]

_FOLLOWERS: frozenset[TypeKey] = frozenset(
    {
        TypeKey("autoscaling", "HorizontalPodAutoscaler"),
        TypeKey("keda.sh", "ScaledObject"),
        TypeKey("policy", "PodDisruptionBudget"),
    }
)
"""What has its workload's name and must not outlive its wish: a forgotten autoscaler fights with fixed replicas."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What an apply left behind: the fingerprint of what was sent, and what the API made of it."""

    fingerprint: str
    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What to do now, in this order: `first` is deleted, `write` applied, `last` deleted. `is_ready` says that every
    workload is there as wanted; until then `held` waits."""

    first: tuple[ObjectKey, ...] = ()
    write: tuple[Json, ...] = ()
    last: tuple[ObjectKey, ...] = ()
    held: tuple[ObjectKey, ...] = ()
    is_ready: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do now."""
        return not (self.first or self.write or self.last)


def changes(
    wanted: Sequence[Json],
    late: Sequence[Json],
    live: Mapping[ObjectKey, Json],
    *,
    sent: Callable[[ObjectKey], Sent | None] = lambda _: None,
    frozen: Collection[ObjectKey] = (),
) -> Changes:
    """Compare. `late` is what waits for the workloads, `live` what the owner has, `sent` what was applied before by
    this process. What is `frozen` is there and stays as it is."""

    def is_fine(doc: Json) -> bool:
        there, key = live.get(key_of(doc)), key_of(doc)
        # What a Job does cannot be changed, and need not be: other work is a Job of another name.
        is_kept = key in frozen or key.type == JOB.key
        return there is not None and (is_kept or _is_there(doc, there, sent(key)))

    # Comparing is most of what a reconcile costs that changes nothing: once for each object.
    fine = {key_of(doc) for doc in (*wanted, *late) if is_fine(doc)}
    workloads = [key_of(doc) for doc in wanted if is_workload(doc)]
    is_all_ready = all(key in fine and is_ready(live[key]) for key in workloads)
    now, held = _sorted_out(wanted, live, is_all_ready=is_all_ready)
    if is_all_ready:
        now += late
    else:
        held += [key_of(doc) for doc in late]
    first, last = _unwanted({key_of(doc) for doc in (*wanted, *late)}, live, is_all_ready=is_all_ready)
    return Changes(
        first=first,
        write=tuple(doc for doc in now if key_of(doc) not in fine and key_of(doc) not in frozen),
        last=last,
        held=tuple(held),
        is_ready=is_all_ready,
    )


def is_applied(wanted: Json, live: Json, sent: Sent | None) -> bool:
    """Whether sending this again would change nothing. Where the API or a webhook wrote our values in words of its own,
    what it made of them the last time is as good."""
    if mark_of(live) != fingerprint(wanted):
        return False
    if contains(live, wanted):
        return True
    return sent is not None and sent.fingerprint == fingerprint(wanted) and sent.result == project(live, wanted)


def _is_there(wanted: Json, live: Json, sent: Sent | None) -> bool:
    return not _is_leaving(live) and is_applied(wanted, live, sent)


def _is_leaving(live: Json) -> bool:
    return bool(live["metadata"].get("deletionTimestamp"))


def _sorted_out(
    wanted: Iterable[Json], live: Mapping[ObjectKey, Json], *, is_all_ready: bool
) -> tuple[list[Json], list[ObjectKey]]:
    now: list[Json] = []
    held: list[ObjectKey] = []
    for doc in wanted:
        there = live.get(key_of(doc))
        if not is_all_ready and there is not None and _would_turn_away(doc, there):
            held.append(key_of(doc))
        else:
            now.append(doc)
    return now, held


def _would_turn_away(wanted: Json, live: Json) -> bool:
    """Whether a Service would leave the pods that answer now."""
    if key_of(wanted).type != SERVICE.key:
        return False
    return (wanted["spec"].get("selector") or {}) != ((live.get("spec") or {}).get("selector") or {})


def _unwanted(
    names: set[ObjectKey], live: Mapping[ObjectKey, Json], *, is_all_ready: bool
) -> tuple[tuple[ObjectKey, ...], tuple[ObjectKey, ...]]:
    workloads = {(key.namespace, key.name) for key in names if key.type not in _FOLLOWERS}
    unwanted = [key for key, doc in live.items() if key not in names and not _is_leaving(doc)]
    first = [key for key in unwanted if key.type in _FOLLOWERS and (key.namespace, key.name) in workloads]
    last = [key for key in unwanted if key not in first] if is_all_ready else []
    return tuple(sorted(first)), tuple(sorted(last, key=lambda key: (_rank(key), key)))


def _rank(key: ObjectKey) -> int:
    """Ways in go before the workloads they lead to, Services after, and what pods read last."""
    if key.type == CONFIG_MAP.key:
        return 3
    if key.type == SERVICE.key:
        return 2
    return 1 if key.group in ("apps", "autoscaling", "keda.sh", "policy") else 0
