"""What the double answers when it refuses: Kubernetes' Status objects, with the texts that people and clients match."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cause:
    """One problem of a document, by the path of its field."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message

    def as_json(self) -> Document:
        return {"reason": self.reason, "message": self.message, "field": self.field}


@dataclass
class Refusal(Exception):
    """An answer that is no success."""

    code: int
    reason: str
    message: str
    details: Document = field(default_factory=dict)
    retry_after_s: int | None = None

    def status(self) -> Document:
        """The body of the answer."""
        details = self.details
        if self.retry_after_s is not None:
            details = {**details, "retryAfterSeconds": self.retry_after_s}
        body: Document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body |= {"message": self.message, "reason": self.reason, "details": details, "code": self.code}
        return {key: value for key, value in body.items() if value or key in ("metadata", "code")}


def qualified(group: str, plural: str) -> str:
    """`deployments.apps`, and `pods` for the core group."""
    return f"{plural}.{group}" if group else plural


def _about(group: str, plural: str, name: str) -> Document:
    return {key: value for key, value in (("name", name), ("group", group), ("kind", plural)) if value}


def not_found(group: str, plural: str, name: str) -> Refusal:
    """No object by that name."""
    text = f'{qualified(group, plural)} "{name}" not found'
    return Refusal(404, "NotFound", text, _about(group, plural, name))


def no_such_place() -> Refusal:
    """No resource at that path."""
    return Refusal(404, "NotFound", "the server could not find the requested resource")


def already_exists(group: str, plural: str, name: str) -> Refusal:
    """A create of what is there."""
    text = f'{qualified(group, plural)} "{name}" already exists'
    return Refusal(409, "AlreadyExists", text, _about(group, plural, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(group: str, plural: str, name: str, why: str = MODIFIED) -> Refusal:
    """A write that was based on something else than what is stored."""
    text = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return Refusal(409, "Conflict", text, _about(group, plural, name))


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> Refusal:
    """A document with problems; all of them are told."""
    text = str(causes[0]) if len(causes) == 1 else "[" + ", ".join(map(str, causes)) + "]"
    details = {**_about(group, kind, name), "causes": [cause.as_json() for cause in causes]}
    return Refusal(422, "Invalid", f'{qualified(group, kind)} "{name}" is invalid: {text}', details)


def bad_request(text: str) -> Refusal:
    """A request that makes no sense, whatever is stored."""
    return Refusal(400, "BadRequest", text)


def gone(text: str = "The resourceVersion for the provided watch is too old.") -> Refusal:
    """A version that has been compacted."""
    return Refusal(410, "Expired", text)


def method_not_allowed() -> Refusal:
    """A verb that the resource has not."""
    return Refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def too_large(asked: int, newest: int) -> Refusal:
    """A version that is not there yet."""
    text = f"Timeout: Too large resource version: {asked}, current: {newest}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return Refusal(504, "Timeout", text, {"causes": [cause]}, retry_after_s=1)


def too_many(after_s: int) -> Refusal:
    """Throttled."""
    text = "the server has received too many requests and has asked us to try again later"
    return Refusal(429, "TooManyRequests", text, retry_after_s=after_s)
