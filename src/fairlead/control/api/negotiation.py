"""Which form of an answer a client wants, from its Accept header."""

from dataclasses import dataclass
from enum import Enum

from fairlead.errors import NotAcceptable


class Form(Enum):
    """How an object or a list is written."""

    OBJECT = "object"
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"


@dataclass(frozen=True, slots=True)
class MediaType:
    """One entry of an Accept or Content-Type header, in lower case but for the values of parameters."""

    type: str
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str:
        """A parameter's value, empty if it is not there."""
        return next((value for key, value in self.parameters if key == name), "")


def parse_media(text: str) -> MediaType:
    """Read `type/subtype;name=value;...`."""
    first, *rest = text.split(";")
    pairs = (part.partition("=") for part in rest)
    return MediaType(first.strip().lower(), tuple((k.strip().lower(), v.strip().strip('"')) for k, _, v in pairs))


def parse_accept(header: str) -> list[MediaType]:
    """The entries of an Accept header, in order of preference."""
    entries = [parse_media(part) for part in header.split(",") if part.strip()]
    return sorted(entries, key=_quality, reverse=True) or [MediaType("*/*")]


def _quality(media: MediaType) -> float:
    try:
        return float(media.parameter("q") or 1)
    except ValueError:
        return 0.0


_JSON = ("application/json", "*/*", "application/*")
_FORMS = {"Table": Form.TABLE, "PartialObjectMetadata": Form.METADATA, "PartialObjectMetadataList": Form.METADATA}


def wanted_form(header: str) -> Form:
    """The first form on the list that we write; a client that takes none of them is refused."""
    for media in parse_accept(header):
        asked = media.parameter("as")
        if media.type in _JSON and not asked:
            return Form.OBJECT
        if media.type in _JSON and media.parameter("g") == "meta.k8s.io" and asked in _FORMS:
            return _FORMS[asked]
    raise NotAcceptable(f"only JSON can be written (asked for {header}); accepted: application/json")
