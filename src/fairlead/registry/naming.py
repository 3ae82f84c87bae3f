"""Names of models and bentos, their versions and aliases: BentoML's rules for tags."""

import re

from fairlead.errors import BadRequest

LATEST = "latest"
"""Not a version but a question: the newest that is complete."""
_LONGEST_NAME, _LONGEST_VERSION = 63, 512
_NAME = re.compile(r"[a-z0-9]([-._a-z0-9]*[a-z0-9])?")
# Clients lower what their users write; those that other programs push may have been written otherwise.
_VERSION = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?")


def check_name(name: str, what: str = "name") -> str:
    """The name of a repository or an alias. Raises BadRequest with the rule that it breaks."""
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise BadRequest(
            f"{what} {name[:80]!r}: at most {_LONGEST_NAME} lower-case letters, digits, '-', '_' and '.', "
            "beginning and ending with a letter or digit"
        )
    return name


def check_version(version: str, what: str = "version") -> str:
    """The name of a version. `latest` is none."""
    if len(version) > _LONGEST_VERSION or not _VERSION.fullmatch(version):
        raise BadRequest(
            f"{what} {version[:80]!r}: at most {_LONGEST_VERSION} letters, digits, '-', '_' and '.', "
            "beginning and ending with a letter or digit"
        )
    if version == LATEST:
        raise BadRequest(f"{what}: {LATEST!r} always means the newest, and cannot be given to one")
    return version
