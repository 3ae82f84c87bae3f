"""Which revision a workload behind our own gateway is at, and which earlier ones stay: from values to values.

Rendering knows no past, so it writes the first revision. Here the template decides: as long as it is what the newest
revision has, that is the one; anything else is the next number. Earlier ones stay while a share of the requests, or a
way back, names them; the gateway lets them go to zero. What is named by nobody goes when the newest is ready.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from fairlead.backends.kubernetes.operator.resources import DEPLOYMENT, ObjectKey, key_of
from fairlead.backends.kubernetes.render.own_gateway import (
    ANNOTATION,
    FIRST,
    KNATIVE_REVISION,
    LABEL,
    REVISION,
    TEMPLATE,
)
from fairlead.plan.layout import Layout, OnDemandWorkload

Json = Mapping[str, Any]


class Numbered(NamedTuple):
    """The objects to have, and the earlier revisions that are to be left as they are."""

    wanted: Sequence[Json]
    kept: frozenset[ObjectKey]


def numbered(wanted: Sequence[Json], layout: Layout, live: Mapping[ObjectKey, Json]) -> Numbered:
    """Give revisions their numbers. `live` are the objects of the same owner."""
    workloads = {workload.name: workload for workload in layout.on_demand}
    made, kept = [], set[ObjectKey]()
    for doc in wanted:
        workload = workloads.get(_label(doc, LABEL)) if key_of(doc).type == DEPLOYMENT.key else None
        if workload is None:
            made.append(doc)
            continue
        earlier = _revisions(workload.name, live)
        mine = _with_number(doc, workload, earlier, is_frozen=layout.is_frozen)
        made.append(mine)
        names = _named(workload)
        kept |= {key_of(one) for one in earlier if one["metadata"]["name"] in names and key_of(one) != key_of(mine)}
    return Numbered(made, frozenset(kept))


def _with_number(doc: Json, workload: OnDemandWorkload, earlier: Sequence[Json], *, is_frozen: bool) -> Json:
    mark = _mark(doc)
    newest = earlier[-1] if earlier else None
    is_same = newest is not None and (is_frozen or _annotation(newest, TEMPLATE) == mark)
    if is_same and newest is not None:
        return _called(doc, str(newest["metadata"]["name"]), _annotation(newest, TEMPLATE))
    names = [str(one["metadata"]["name"]) for one in earlier]
    last = max((number_of(name) for name in (*names, *_named(workload))), default=0)
    return _called(doc, f"{workload.name}-{last + 1:05d}", mark)


def _called(doc: Json, name: str, mark: str) -> Json:
    made = deepcopy(dict(doc))
    template = made["spec"]["template"]["metadata"]["labels"]
    made["metadata"]["name"] = name
    made["metadata"]["labels"][REVISION] = name
    made["metadata"]["annotations"][TEMPLATE] = mark
    made["spec"]["selector"]["matchLabels"][REVISION] = name
    template[REVISION] = template[KNATIVE_REVISION] = name
    return made


def _named(workload: OnDemandWorkload) -> frozenset[str]:
    """The revisions that somebody asks for by name."""
    return frozenset({*workload.kept, *(share.revision for share in workload.traffic)} - {""})


def _revisions(name: str, live: Mapping[ObjectKey, Json]) -> list[Json]:
    """Those that there are, the newest last."""
    found = [
        doc
        for key, doc in live.items()
        if key.type == DEPLOYMENT.key and _label(doc, LABEL) == name and not doc["metadata"].get("deletionTimestamp")
    ]
    return sorted(found, key=lambda doc: number_of(str(doc["metadata"]["name"])))


def number_of(name: str) -> int:
    """A revision's number; 0 for a name without one."""
    found = re.search(r"-(\d+)$", name)
    return int(found[1]) if found else 0


def _mark(doc: Json) -> str:
    """What a revision is made of, as it is rendered: under the number one."""
    assert doc["metadata"]["name"].endswith(FIRST)
    parts = [doc["spec"]["template"], _annotation(doc, ANNOTATION)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _label(doc: Json, name: str) -> str:
    return str((doc["metadata"].get("labels") or {}).get(name, ""))


def _annotation(doc: Json, name: str) -> str:
    return str((doc["metadata"].get("annotations") or {}).get(name, ""))
