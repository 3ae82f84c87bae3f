"""The BentoRequest of a deployment that was written in an old version, which knew tags alone."""

from collections.abc import Sequence

from fairlead.dialects.base import Document, World
from fairlead.dialects.bento.deployment.schema import BentoDeployment
from fairlead.dialects.bento.deployment.versions import original_tag
from fairlead.dialects.bento.request.schema import GROUP, KIND, VERSION
from fairlead.dialects.bento.sources import is_owned_by


def records(deployment: BentoDeployment, doc: Document, world: World) -> Sequence[Document]:
    """The request, unless there is one that somebody else wrote or that another deployment of the tag brought along."""
    tag, namespace, name = original_tag(doc), deployment.metadata.namespace, deployment.spec.bento
    if not tag:
        return ()
    known = world.get(KIND, namespace, name)
    if known is not None and not is_owned_by(known, doc):
        return ()
    if known is None and world.get("Bento", namespace, name) is not None:
        return ()
    return (request_of(tag, name, namespace),)


def request_of(tag: str, name: str, namespace: str) -> Document:
    """The document, without its owner."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": metadata, "spec": {"bentoTag": tag}}
