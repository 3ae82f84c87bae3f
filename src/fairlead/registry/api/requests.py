"""The bodies that operations take. Anything may be null where it may be left out: clients send both."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from fairlead.errors import BadRequest
from fairlead.registry import values

_NULL = b"null"
# What the registry's columns hold, so that a longer one is refused by name rather than by a database.
Name = Annotated[str, msgspec.Meta(max_length=512)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
LabelValue = Annotated[str, msgspec.Meta(max_length=1024)]
Text = Annotated[str, msgspec.Meta(max_length=4 << 20)]


class LabelItem(msgspec.Struct):
    key: Key
    value: LabelValue


class CreateRepository(msgspec.Struct, kw_only=True):
    name: Name
    description: Text | None = None
    labels: list[LabelItem] | None = None


class RulesItem(msgspec.Struct, kw_only=True):
    """Retention and immutability; what is left out is none."""

    keep_last: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    max_age_days: Annotated[float, msgspec.Meta(gt=0, le=36_500)] | None = None
    keep_labelled: list[LabelValue] | None = None
    is_immutable: bool = False

    def value(self) -> values.Rules:
        return values.Rules(
            keep_last=self.keep_last,
            max_age_days=self.max_age_days,
            keep_labelled=tuple(self.keep_labelled or ()),
            is_immutable=self.is_immutable,
        )


class UpdateRepository(msgspec.Struct, kw_only=True):
    description: Text | None = None
    labels: list[LabelItem] | None = None
    rules: RulesItem | None = None


class CreateVersion(msgspec.Struct, kw_only=True):
    """`build_at` is UTC where it has no zone; when left out it is now."""

    version: Name
    description: Text | None = None
    manifest: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(_NULL))
    build_at: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    labels: list[LabelItem] | None = None


class UpdateVersion(msgspec.Struct, kw_only=True):
    description: Text | None = None
    manifest: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(_NULL))
    labels: list[LabelItem] | None = None
    is_immutable: bool | None = None


class FinishUpload(msgspec.Struct, kw_only=True):
    status: Annotated[str, msgspec.Meta(max_length=16)] | None = None
    reason: Text | None = None


class PresignPart(msgspec.Struct, kw_only=True):
    upload_id: Text
    part_number: Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class Part(msgspec.Struct, kw_only=True):
    part_number: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    etag: Annotated[str, msgspec.Meta(max_length=256)]


class CompleteUpload(msgspec.Struct, kw_only=True):
    upload_id: Text
    parts: list[Part] | None = None


class PutAlias(msgspec.Struct, kw_only=True):
    version: Name


class ImageBuildStatus(msgspec.Struct, kw_only=True):
    image_build_status: Annotated[str, msgspec.Meta(max_length=16)]


def labels(given: list[LabelItem] | None) -> list[values.Label]:
    return [values.Label(item.key, item.value) for item in given or ()]


def labels_if(given: list[LabelItem] | None) -> list[values.Label] | None:
    return None if given is None else labels(given)


def manifest_if(given: msgspec.Raw) -> str | None:
    """The text of a manifest that was sent; null is none."""
    text = bytes(given).strip()
    return None if text == _NULL else text.decode()


def build_time(text: str | None, now: float) -> float:
    """When a version was built. Raises BadRequest for what is no time."""
    if not text:
        return now
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadRequest(f"build_at is {text!r}; it must be a time such as 2026-01-31 12:00:00.000000") from None
