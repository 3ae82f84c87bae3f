"""Where a bento and its models are to be had, for one machine.

A Bento that was made for a BentoRequest is where the request says; one that a user wrote says it in an annotation, or
is an image that somebody else made, which runs as a container.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from fairlead.dialects.base import Document
from fairlead.dialects.bento.names import parse_tag
from fairlead.dialects.bento.schema import BentoModel
from fairlead.dialects.findings import Findings
from fairlead.dialects.podspec import EnvFromSource
from fairlead.plan.model import Artifact, Part

SOURCE = "fairlead.dev/source"
"""Annotation of a Bento: where its files are, in place of its image."""
PLACE = PurePosixPath("/home/bentoml/bento")
_HUB = re.compile(r"hf://(?P<id>[^@]+)(?:@(?P<revision>[^@]*))?(?:@(?P<endpoint>[^@]*))?(?P<patterns>@.*)?")


def registered(tag: str) -> str:
    """A bento of the registry."""
    return f"fairlead://bentos/{tag}"


def bento_artifact(uri: str, models: Sequence[BentoModel], credentials: str, findings: Findings) -> Artifact:
    """A bento with its models. `credentials` is a Secret's name."""
    secret = credentials or None
    parts = tuple(model_part(model, findings) for model in models)
    if not parts:
        return Artifact(uri=uri, mount=str(PLACE), env_secret=secret, unpacks=True)
    whole = (Part(uri=uri, mount=str(PLACE)), *parts)
    return Artifact(uri=uri, mount=str(PLACE), parts=whole, env_secret=secret, unpacks=True)


def model_part(model: BentoModel, findings: Findings) -> Part:
    """A model where a bento looks for it."""
    try:
        tag = parse_tag(model.tag)
    except ValueError as error:
        findings.refuse("models", str(error))
        return Part(uri="", mount=str(PLACE))
    uri = hub_uri(model.download_url, findings) if model.download_url else f"fairlead://models/{tag}"
    return Part(uri=uri, mount=str(PLACE / "models" / tag.name / (tag.version or "latest")))


def hub_uri(uri: str, findings: Findings) -> str:
    """A model of the Hugging Face Hub in Yatai's words (`hf://id@revision@endpoint@include@exclude`) as everybody else
    writes it; every other address as it is."""
    match = _HUB.fullmatch(uri)
    if match is None:
        return uri
    if match["endpoint"]:
        findings.warn(f"{uri}: the endpoint is ignored; HF_ENDPOINT says where the Hub is")
    if match["patterns"]:
        findings.warn(f"{uri}: patterns of files are ignored; the whole repository is fetched")
    return f"hf://{match['id']}:{match['revision']}" if match["revision"] else f"hf://{match['id']}"


def credentials_of(sources: Sequence[EnvFromSource], path: str, findings: Findings) -> str:
    """The Secret with the credentials of downloads; on one machine there is one for each."""
    names = [one.secret_ref.name for one in sources if one.secret_ref is not None]
    for index, one in enumerate(sources):
        if one.secret_ref is None or one.secret_ref.name != names[0]:
            findings.warn(f"{path}[{index}] is ignored: credentials are taken from one Secret")
    return names[0] if names else ""


def is_owned_by(doc: Document, owner: Document) -> bool:
    """Whether an object was made for another."""
    references = doc["metadata"].get("ownerReferences") or ()
    uid = owner["metadata"].get("uid")
    return any(one.get("uid") == uid and uid for one in references)
