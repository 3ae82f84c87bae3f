"""The kind Bento: what a BentoRequest came to, or what a user wrote. It runs nothing by itself."""

from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.bento.bento import crd
from fairlead.dialects.bento.bento.schema import IDENTITY, Bento
from fairlead.dialects.bento.part import Part
from fairlead.dialects.bento.refusing import Refusing
from fairlead.dialects.reading import read_as


class BentoPart(Part):
    """Bentos."""

    kind = crd.BENTO

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return crd.open_api()

    def validate(self, doc: Document, old: Document | None, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest` with every problem."""
        bento, refusing = read(doc), Refusing(IDENTITY, doc)
        refusing.tag("spec.tag", bento.spec.tag)
        refusing.image("spec.image", bento.spec.image)
        refusing.runners("spec.runners", bento.spec.runners)
        refusing.models("spec.models", bento.spec.models)
        refusing.check()

    def derived_status(self, doc: Document, now: str, world: World) -> dict[str, Any]:  # noqa: ARG002
        """A Bento is there when all of it is."""
        return {"ready": True}


def read(doc: Document) -> Bento:
    """The typed document. Raises `InvalidManifest`."""
    return read_as(Bento, doc, IDENTITY)
