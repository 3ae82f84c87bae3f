"""Which paths of a worker are OpenAI's.

KServe puts them below `/openai`, or whatever KSERVE_OPENAI_ROUTE_PREFIX says. OpenAI's clients are as often told of a
server whose paths begin with `/v1`, so those are there too; but where a worker speaks V1, `GET /v1/models` is V1's.
With an empty prefix it is both: the answers have what clients of either look for.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from fairlead.dataplane.spec import WorkerSpec
from fairlead.plan.model import Protocol
from fairlead.protocols.openai import Endpoint

VARIABLE = "KSERVE_OPENAI_ROUTE_PREFIX"
_DEFAULT = "/openai"


class Place(NamedTuple):
    """What a path asks for: an endpoint, or else the list of models, or the one that is named."""

    endpoint: Endpoint | None = None
    model: str = ""

    @property
    def verb(self) -> str:
        """The one method it takes."""
        return "GET" if self.endpoint is None else "POST"


class Paths:
    """The paths of one worker."""

    def __init__(self, env: Mapping[str, str], *, speaks_v1: bool) -> None:
        prefix = env.get(VARIABLE, _DEFAULT).strip("/")
        self.prefix = f"/{prefix}" if prefix else ""
        self.shares_models = speaks_v1 and not prefix
        """Whether the list of models is read by clients of V1 too."""
        self._speaks_v1 = speaks_v1

    def find(self, path: str) -> Place | None:
        """What a path asks for; `None` for the paths of others."""
        if self.prefix and path.startswith(f"{self.prefix}/v1/"):
            return _place(path[len(self.prefix) + 4 :])
        if not path.startswith("/v1/"):
            return None
        place = _place(path[4:])
        if place is not None and place.endpoint is None and self._speaks_v1:
            return place if self.shares_models and not place.model.endswith(_VERBS) else None
        return place

    def is_own(self, path: str) -> bool:
        """Whether a path lies where nobody else has any."""
        return bool(self.prefix) and path.startswith(f"{self.prefix}/")


def paths_of(spec: WorkerSpec) -> Paths:
    """The paths of a worker, as its environment and its protocols have it."""
    env = dict(os.environ) | spec.revision.settings
    for placement in spec.placements:
        env |= placement.env
    spoken = (spec.revision.protocol, *spec.revision.also)
    return Paths(env, speaks_v1=not {Protocol.V1, Protocol.TENSORFLOW}.isdisjoint(spoken))


_VERBS = (":predict", ":explain")


def _place(rest: str) -> Place | None:
    endpoint = _ENDPOINTS.get(rest)
    if endpoint is not None:
        return Place(endpoint)
    first, slash, name = rest.partition("/")
    # Names of models may have slashes in them, as those of the Hugging Face Hub do.
    return Place(None, unquote(name)) if first == "models" and (name or not slash) else None


_ENDPOINTS = {str(endpoint): endpoint for endpoint in Endpoint}
