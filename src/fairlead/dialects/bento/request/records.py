"""The Bento of a request, as soon as everything of it is here."""

from collections.abc import Sequence

from fairlead.dialects.base import Document, World
from fairlead.dialects.bento.bento.schema import KIND as BENTO
from fairlead.dialects.bento.request.found import bento_of
from fairlead.dialects.bento.request.lower import facts_of
from fairlead.dialects.bento.request.schema import KIND, BentoRequest
from fairlead.dialects.bento.sources import is_owned_by
from fairlead.plan.bentos import ImageState
from fairlead.plan.status import ModelState, ModelStatus, PlanStatus


def records(request: BentoRequest, doc: Document, world: World) -> Sequence[Document]:
    """What is to be stored. A Bento that was made stays what it is until there is a newer one: what runs of it runs on,
    and a process that has just started does not know yet what is in it."""
    namespace, name = request.metadata.namespace, request.metadata.name
    observed, facts = world.observed(KIND, namespace, name), facts_of(request, world)
    if observed is not None and facts is not None and is_whole(observed, request.spec.bento_tag):
        return (bento_of(request, facts, _image(observed)),)
    known = world.get(BENTO, namespace, name)
    return (known,) if known is not None and is_owned_by(known, doc) else ()


def is_whole(observed: PlanStatus, tag: str) -> bool:
    """Whether the bento, its models and its image are here."""
    found = {one.name: one for one in observed.prefetched}
    bento = found.get(tag)
    if bento is None or any(one.state is not ModelState.READY for one in found.values()):
        return False
    models = bento.facts.models if bento.facts is not None else ()
    return all(model in found for model in models) and _has_image(bento)


def _has_image(bento: ModelStatus) -> bool:
    return bento.image is None or bento.image.state is ImageState.PRESENT


def _image(observed: PlanStatus) -> str:
    return next((one.image.name for one in observed.prefetched if one.image is not None), "")
