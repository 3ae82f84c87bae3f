"""Names that people give: DNS-1035 labels, because they become names of Kubernetes' objects."""

import re

from fairlead.errors import BadRequest

LONGEST_NAME = 63
_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)


def check_name(name: str, what: str = "name") -> str:
    """The name as it is. Raises BadRequest with the rule that it breaks."""
    if len(name) > LONGEST_NAME:
        raise BadRequest(f"{what}: must be no more than {LONGEST_NAME} characters")
    if not _LABEL.fullmatch(name):
        raise BadRequest(f"{what}: {_RULE}")
    return name


def check_email(email: str) -> str:
    """An address in lower case, so that one person is not two; empty for none."""
    email = email.strip().lower()
    if email and (len(email) > 320 or not _EMAIL.fullmatch(email)):
        raise BadRequest("email: must be an address such as ada@example.com")
    return email


def name_from(text: str) -> str:
    """The nearest permitted name to what a provider of identities calls somebody; may be empty."""
    label = re.sub(r"[^a-z0-9]+", "-", text.partition("@")[0].lower()).strip("-")
    label = label if not label[:1].isdigit() else f"u-{label}"
    return label[:LONGEST_NAME].rstrip("-")
