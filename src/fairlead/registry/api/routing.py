"""One table of what the API answers, from which both its routes and its OpenAPI description are made.

An `Operation` says everything that either needs, so that a description which promises something else than the routes
do cannot be written. Handlers get a `Call` and give a response; who may call is found out before.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from fairlead.registry.api.calls import Call

Handler = Callable[["Call"], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Something that an operation reads from the query. `schema` is JSON schema."""

    name: str
    about: str
    schema: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"type": "string"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    `takes` and `gives` are types that msgspec has a schema for: of the body and of the answer with status 200. Without
    `gives` the answer has no body, or one that `media` names. A public operation is answered to anybody, and its call
    has no caller. `statuses` are those of success; `refuses` are those of refusals that few operations have.
    """

    method: str
    path: str
    handler: Handler
    name: str
    about: str
    tag: str
    takes: Any = None
    gives: Any = None
    query: Sequence[Parameter] = ()
    media: str = ""
    statuses: Sequence[int] = (200,)
    refuses: Sequence[int] = ()
    takes_bytes: bool = False
    is_public: bool = False


LIST_QUERY = (
    Parameter(
        name="start", about="How many to pass over.", schema={"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
    ),
    Parameter(
        name="count",
        about="How many to give; none or 0 gives all.",
        schema={"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    ),
    Parameter(name="search", about="Part of a name."),
    Parameter(
        name="q", about="Words of the list's language, such as `creator:@me label:team=flowers sort:build_at-desc`."
    ),
)
"""What every list reads."""
FORCE = Parameter(
    name="force", about="Whatever stands against it.", schema={"type": "string", "enum": ["true", "false"]}
)
"""What operations that remove something read."""
