"""The rules of a BentoRequest."""

from fairlead.dialects.base import Document
from fairlead.dialects.bento.refusing import Refusing
from fairlead.dialects.bento.request.schema import IDENTITY, BentoRequest
from fairlead.dialects.reading import read_as


def read(doc: Document) -> BentoRequest:
    """The typed document. Raises `InvalidManifest`."""
    return read_as(BentoRequest, doc, IDENTITY)


def validate(doc: Document) -> None:
    """Raise `InvalidManifest` with every problem."""
    spec, refusing = read(doc).spec, Refusing(IDENTITY, doc)
    refusing.tag("spec.bentoTag", spec.bento_tag)
    refusing.source("spec.downloadUrl", spec.download_url)
    if spec.image:
        refusing.image("spec.image", spec.image)
    refusing.runners("spec.runners", spec.runners)
    refusing.models("spec.models", spec.models)
    for index, argument in enumerate(spec.build_args):
        if not argument.partition("=")[1] or argument.startswith("="):
            refusing.value(f"spec.buildArgs[{index}]", argument.partition("=")[0], "must be KEY=value")
    refusing.variables("spec.imageBuilderExtraContainerEnv", spec.image_builder_extra_container_env)
    refusing.check()
