"""One request to the resource API, with its parameters read and checked."""

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from fairlead.control.api import kube_proto
from fairlead.control.api.negotiation import Form, MediaType, parse_media, wanted_form
from fairlead.control.api.paths import Address
from fairlead.control.api.resources import Resource
from fairlead.control.ledger import Document
from fairlead.control.selectors import Selector, parse_fields, parse_labels
from fairlead.dialects import document as manifests
from fairlead.errors import BadRequest, DeadlineExceeded, InvalidManifest, TooLarge, UnsupportedMedia

MAX_BODY_BYTES = 3 * 1024 * 1024
"""As an API server limits a request."""
BODY_TIMEOUT_S = 30.0

_JSON_TYPES = ("application/json", "")
_YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "application/apply-patch+yaml")


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of which resource."""

    request: Request
    address: Address
    resource: Resource

    @property
    def namespace(self) -> str:
        """The namespace in the path; empty for cluster-wide kinds."""
        return self.address.namespace or ""

    @property
    def form(self) -> Form:
        """How the answer is to be written."""
        return wanted_form(self.request.headers.get("accept", ""))

    @property
    def is_pretty(self) -> bool:
        """Whether a person reads the answer."""
        return self.text("pretty").lower() in ("1", "true")

    def text(self, name: str) -> str:
        """A query parameter, empty if it is not there."""
        return self.request.query_params.get(name, "")

    def flag(self, name: str) -> bool:
        """A boolean query parameter."""
        return self.text(name).lower() in ("1", "true", "t")

    def number(self, name: str) -> int | None:
        """A non-negative whole number in the query."""
        text = self.text(name)
        if not text:
            return None
        if not text.isascii() or not text.isdigit():
            raise BadRequest(f"{name}: Invalid value: {text!r}: must be a whole number, not negative")
        return int(text)

    @property
    def is_dry_run(self) -> bool:
        """Whether nothing is to be stored."""
        asked = self.request.query_params.getlist("dryRun")
        if any(value not in ("All", "") for value in asked):
            raise BadRequest(f'dryRun: Unsupported value: "{asked[0]}": supported values: "All"')
        return "All" in asked

    @property
    def manager(self) -> str:
        """Who owns the fields this call sets."""
        agent = self.request.headers.get("user-agent", "")
        return self.text("fieldManager") or agent.partition("/")[0] or "unknown"

    @property
    def field_validation(self) -> str:
        """What to do about unknown fields: Ignore, Warn or Strict."""
        asked = self.text("fieldValidation") or "Warn"
        if asked not in ("Ignore", "Warn", "Strict"):
            raise BadRequest(
                f'fieldValidation: Unsupported value: "{asked}": supported values: "Ignore", "Strict", "Warn"'
            )
        return asked

    @property
    def selector(self) -> Selector:
        """Which objects a list, watch or deletion of many is about."""
        terms = parse_fields(self.text("fieldSelector"), self.resource.field_labels)
        return Selector(parse_labels(self.text("labelSelector")), terms)

    @property
    def media(self) -> MediaType:
        """The body's type."""
        return parse_media(self.request.headers.get("content-type", ""))

    async def body(self) -> bytes:
        """The whole body, within the limits of size and time."""
        return await read_body(self.request)

    async def document(self) -> Document:
        """The body as one object."""
        return parse_document(await self.body(), self.media)


async def read_body(request: Request) -> bytes:
    """A request's body, within the limits of size and time."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    raise TooLarge(f"Request entity too large: limit is {MAX_BODY_BYTES}")
                chunks.append(chunk)
    except TimeoutError as error:
        raise DeadlineExceeded(f"the request's body did not arrive within {BODY_TIMEOUT_S:.0f} seconds") from error
    except ClientDisconnect as error:
        raise BadRequest("the client went away while sending its request") from error
    return b"".join(chunks)


def parse_document(body: bytes, media: MediaType) -> Document:
    """One JSON or YAML object."""
    if media.type in _JSON_TYPES:
        value = parse_json(body)
    elif media.type in _YAML_TYPES:
        value = _parse_yaml(body)
    elif media.type == kube_proto.MEDIA_TYPE:
        value = kube_proto.decode(body)
    else:
        raise unsupported(*_JSON_TYPES[:1], *_YAML_TYPES[:1])
    if not isinstance(value, dict):
        raise BadRequest("the body of the request is not an object")
    return value


def unsupported(*accepted: str) -> UnsupportedMedia:
    """A body in a form that this address does not take."""
    return UnsupportedMedia(
        f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    )


def parse_json(body: bytes) -> Any:
    """One JSON value. The message has the place, never the text, which may be a Secret's."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f"{error.msg}: line {error.lineno} column {error.colno}"
        raise BadRequest(f"the object provided is unrecognized: {place}") from error


def _parse_yaml(body: bytes) -> Any:
    """One YAML document under Kubernetes' rules."""
    if body.lstrip().startswith(b"{"):  # kubectl sends JSON, which is YAML, and JSON is read 50 times faster
        return parse_json(body)
    try:
        loaded = manifests.load(body.decode())
    except (InvalidManifest, UnicodeDecodeError) as error:
        raise BadRequest(f"the object provided is unrecognized: {error}") from error
    if len(loaded) != 1:
        raise BadRequest(f"the body of the request holds {len(loaded)} objects; expected one")
    return loaded[0].doc
