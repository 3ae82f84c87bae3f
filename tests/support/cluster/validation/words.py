"""The kinds of names that fields hold, and the sentences that refuse them."""

import re
from collections.abc import Iterator
from typing import Any

from support.cluster.refusals import Cause

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_PORT_NAME = re.compile(r"(?=[a-z0-9-]{1,15}$)(?=.*[a-z])[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")


def required(at: str, text: str = "") -> Cause:
    """A field that must not be missing."""
    return Cause(at, f"Required value: {text}" if text else "Required value", "FieldValueRequired")


def wrong(at: str, value: Any, text: str) -> Cause:
    """A field whose value cannot be."""
    shown = f'"{value}"' if isinstance(value, str) else value
    return Cause(at, f"Invalid value: {shown}: {text}")


def forbidden(at: str, text: str) -> Cause:
    """A field that may not be set here."""
    return Cause(at, f"Forbidden: {text}", "FieldValueForbidden")


def duplicate(at: str, value: Any) -> Cause:
    """A second of what must be one."""
    shown = f'"{value}"' if isinstance(value, str) else value
    return Cause(at, f"Duplicate value: {shown}", "FieldValueDuplicate")


def unsupported(at: str, value: Any, known: tuple[str, ...]) -> Iterator[Cause]:
    """A word that must be one of a few."""
    if value not in known:
        listed = ", ".join(f'"{item}"' for item in known)
        yield Cause(at, f'Unsupported value: "{value}": supported values: {listed}', "FieldValueNotSupported")


def label(at: str, value: str) -> Iterator[Cause]:
    """A name that must be one label of a host."""
    if not _LABEL.fullmatch(value):
        yield wrong(at, value, "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'")
    if len(value) > 63:
        yield wrong(at, value, "must be no more than 63 characters")


def subdomain(at: str, value: str) -> Iterator[Cause]:
    """A name of a host."""
    if not _SUBDOMAIN.fullmatch(value) or len(value) > 253:
        yield wrong(at, value, "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters")


def port_name(at: str, value: str) -> Iterator[Cause]:
    """A name of a port."""
    if len(value) > 15:
        yield wrong(at, value, "must be no more than 15 characters")
    elif not _PORT_NAME.fullmatch(value) or "--" in value:
        yield wrong(at, value, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")


def port(at: str, value: Any) -> Iterator[Cause]:
    """A number of a port."""
    if not isinstance(value, int) or not 1 <= value <= 65535:
        yield wrong(at, value, "must be between 1 and 65535, inclusive")


def port_or_name(at: str, value: Any) -> Iterator[Cause]:
    """A number or a name of a port."""
    yield from port_name(at, value) if isinstance(value, str) else port(at, value)


def config_key(at: str, value: str) -> Iterator[Cause]:
    """A key of a ConfigMap or a Secret."""
    if not _CONFIG_KEY.fullmatch(value) or value in (".", "..") or value.startswith("..") or len(value) > 253:
        yield wrong(at, value, "a valid config key must consist of alphanumeric characters, '-', '_' or '.'")


def not_negative(at: str, value: Any) -> Iterator[Cause]:
    """A number that cannot be below zero."""
    if isinstance(value, int) and value < 0:
        yield wrong(at, value, "must be greater than or equal to 0")
