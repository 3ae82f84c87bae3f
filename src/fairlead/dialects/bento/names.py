"""Tags of bentos, and the names that follow from them: those of requests for them, of runners' Services and of images.

Public documentation: BentoML's rule for tags; Yatai's rule for the names that its operator gives.
"""

import hashlib
import re
from dataclasses import dataclass

LONGEST_LABEL = 63
LONGEST_IMAGE_TAG = 128
IMAGE_REPOSITORY = "yatai-bentos"
_PART = re.compile(r"[a-z0-9](?:[-._a-z0-9]*[a-z0-9])?")
_CHANGES = re.compile(r"(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])")


@dataclass(frozen=True, slots=True)
class Tag:
    """`name:version`, in lower case as BentoML writes it. Without a version the newest is meant."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.version}" if self.version else self.name


def parse_tag(text: str) -> Tag:
    """Read a tag. Raises `ValueError` with what is wrong in it."""
    if text.endswith(":"):
        raise ValueError(f"{text!r} contains trailing ':'")
    name, _, version = text.lower().partition(":")
    for what, part in (("name", name), ("version", version)):
        if (part or what == "name") and not (_PART.fullmatch(part) and len(part) <= LONGEST_LABEL):
            raise ValueError(
                f"{text!r} is no tag: its {what} must be at most {LONGEST_LABEL} lower-case letters, digits, '-', '_' "
                "and '.', with a letter or digit at both ends"
            )
    return Tag(name, "" if version == "latest" else version)


def request_name(tag: str) -> str:
    """What the BentoRequest of a tag is called where only the tag was given (`bento_tag` of the old versions)."""
    hyphened = re.sub(r"[_. ]", "-", tag.lower().replace(":", "--"))
    name = _CHANGES.sub("-", hyphened)
    return name if len(name) <= LONGEST_LABEL else f"bento-{_md5(tag)}"


def runner_service(deployment: str, tag: str, runner: str, *, kind: str = "") -> str:
    """The Service of a runner. `kind` is `p-` or `d-` for those of production and debug pods alone."""
    name = f"{deployment}-runner-{kind}{_md5(f'{tag}-{runner}')}"
    if len(name) <= LONGEST_LABEL:
        return name
    return f"runner-{kind}{_md5(f'{deployment}-{tag}-{runner}')}"


def image_tag(tag: Tag, prefix: str = "") -> str:
    """The tag of the image that is made of a bento."""
    tail = f"{tag.name}.{tag.version}"
    whole = f"yatai.{prefix}{tail}"
    return whole if len(whole) <= LONGEST_IMAGE_TAG else f"yatai.{prefix}{_md5(tail)}"


def label_value(text: str) -> str:
    """Text as the value of a label: what is too long keeps its start, and the rest as a hash."""
    return text if len(text) <= LONGEST_LABEL else f"{text[:30]}-{_md5(text)}"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
