"""Names of the registry as people type them: `iris:v1`, `models/iris`, `bentos/iris_classifier:v2`, or whole URIs."""

import re

from fairlead.cli.exits import UsageError
from fairlead.errors import StorageError
from fairlead.storage.uris import RegistryUri, parse

_NO_PART = re.compile(r"[^-._a-z0-9]+")


def read_tag(text: str, *, needs_version: bool = False) -> RegistryUri:
    """The model or bento that is meant. Raises UsageError."""
    try:
        found = parse(text if text.startswith("fairlead:") else f"fairlead://{text}")
    except StorageError:
        found = None
    if not isinstance(found, RegistryUri):
        raise UsageError(
            f"{text!r} is no name in a registry; write name:version (lower-case letters, digits, '-', '_', '.'), "
            "and bentos/name:version for a bento"
        )
    if needs_version and not found.tag:
        raise UsageError(
            f"{text!r} names no version; write {text}:<version> (`fairlead models {found.name}` lists them)"
        )
    return found


def kind_of(uri: RegistryUri) -> str:
    """The registry's word for what a URI names."""
    return "bento" if uri.is_bento else "model"


def name_for(stem: str) -> str:
    """A name in the registry made of a file's or a folder's. Raises UsageError when nothing is left of it."""
    name = _NO_PART.sub("-", stem.lower()).strip("-._")[:63].rstrip("-._")
    if not name:
        raise UsageError(f"no name can be made of {stem!r}; give one: fairlead push PATH name:version")
    return name
