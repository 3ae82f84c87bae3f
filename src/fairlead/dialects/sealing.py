"""The hash of a revision: what makes a running process the wrong one.

Only what reaches the process counts. Replicas and traffic are not part of a revision; a unit's place in the manifest
and the numbers of ports that nobody listens on are left out here, so promoting a canary restarts nothing.
"""

import hashlib
from dataclasses import replace

import msgspec

from fairlead.plan.model import Revision, Unit

HASH_DIGITS = 10
PORT_VARIABLES = frozenset(
    {
        "PREDICTIVE_UNIT_SERVICE_PORT",
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT",
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT",
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT",
        "MLSERVER_HTTP_PORT",
        "MLSERVER_GRPC_PORT",
        "MLSERVER_METRICS_PORT",
    }
)
"""Variables that only repeat the numbering of ports."""
_ENCODER = msgspec.json.Encoder(order="sorted")


def seal(revision: Revision) -> Revision:
    """The same revision with its hash."""
    bare = replace(
        revision,
        hash="",
        units=tuple(_essence(unit) for unit in revision.units),
        labels=tuple(sorted(revision.labels)),
        annotations=tuple(sorted(revision.annotations)),
    )
    written = msgspec.to_builtins(bare)
    for unit in written["units"]:
        # Hashes of what is no bento are those of the time before there were any: an upgrade restarts nothing.
        if unit["bento"] is None:
            del unit["bento"]
    return replace(revision, hash=hashlib.sha256(_ENCODER.encode(written)).hexdigest()[:HASH_DIGITS])


def _essence(unit: Unit) -> Unit:
    if unit.is_external:
        return replace(unit, where="")
    env = tuple(variable for variable in unit.env if variable.name not in PORT_VARIABLES)
    return replace(unit, where="", env=env, http_port=0, grpc_port=0, metrics_port=0)
