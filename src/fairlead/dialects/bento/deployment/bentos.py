"""The bento that a deployment asks for: a Bento of that name, or a BentoRequest that has not come to one yet."""

from dataclasses import dataclass

from fairlead.dialects.base import Document, World
from fairlead.dialects.bento.bento.part import read as read_bento
from fairlead.dialects.bento.bento.schema import KIND as BENTO
from fairlead.dialects.bento.bento.schema import Bento
from fairlead.dialects.bento.conditions import Condition, message_of
from fairlead.dialects.bento.request.schema import KIND as REQUEST
from fairlead.dialects.bento.request.status import AVAILABLE
from fairlead.dialects.bento.sources import is_owned_by
from fairlead.errors import Retryable

BENTO_FOUND, REQUEST_FOUND = "BentoFound", "BentoRequestFound"


class BentoMissing(Retryable):
    """There is neither a Bento nor a BentoRequest of that name."""

    reason = "BentoNotFound"

    def __init__(self, name: str, namespace: str) -> None:
        where = f" in namespace {namespace}" if namespace else ""
        super().__init__(
            f"no Bento or BentoRequest {name}{where}: apply one, or correct spec.bento; the deployment goes on when it"
            " is there"
        )


class BentoNotReady(Retryable):
    """Its BentoRequest is there, and not through."""

    reason = "BentoNotReady"

    def __init__(self, name: str, why: str) -> None:
        self._name = name
        super().__init__(f"BentoRequest {name} is not available yet: {why or 'nothing is known of it so far'}")

    @property
    def lasting(self) -> str:
        """Without how far it is."""
        return f"BentoRequest {self._name} is not available yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is of a name. `request` is that of the Bento, when both are of the same tag.

    The Bento `is_behind` when the request that it was made for asks for another by now."""

    bento: Bento | None
    request: Document | None
    is_behind: bool = False

    def conditions(self, name: str) -> list[Condition]:
        """Both conditions, with what is missing."""
        request = self.request is not None
        if self.bento is not None:
            bento = Condition(type=BENTO_FOUND, is_true=True, message=f"Bento {name}, {self.bento.spec.tag}")
        else:
            why = message_of(self.request, AVAILABLE) if request else ""
            message = f"BentoRequest {name}: {why}" if why else f"Bento {name} is not there"
            bento = Condition(type=BENTO_FOUND, is_true=False, message=message, reason="BentoNotFound")
        if request:
            return [bento, Condition(type=REQUEST_FOUND, is_true=True, message=f"BentoRequest {name}")]
        reason = "NotNeeded" if self.bento is not None else "BentoRequestNotFound"
        message = f"BentoRequest {name} is not there"
        return [bento, Condition(type=REQUEST_FOUND, is_true=False, message=message, reason=reason)]


def find(name: str, namespace: str, world: World) -> Found:
    """Look for it."""
    doc, request = world.get(BENTO, namespace, name), world.get(REQUEST, namespace, name)
    bento = read_bento(doc) if doc is not None else None
    is_behind = bento is not None and doc is not None and request is not None and is_owned_by(doc, request)
    asked = ((request or {}).get("spec") or {}).get("bentoTag")
    return Found(bento=bento, request=request, is_behind=is_behind and bento is not None and asked != bento.spec.tag)


def required(found: Found, name: str, namespace: str) -> Bento:
    """The Bento. Raises `BentoMissing` or `BentoNotReady`."""
    if found.bento is not None and not found.is_behind:
        return found.bento
    if found.request is None:
        raise BentoMissing(name, namespace)
    raise BentoNotReady(name, message_of(found.request, AVAILABLE))
