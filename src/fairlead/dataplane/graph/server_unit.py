"""A server of somebody's own as the one unit of a revision, to which every request is handed on as it is."""

from typing import TYPE_CHECKING

from fairlead.dataplane.graph.asked_unit import AskedUnit
from fairlead.plan.model import Unit

if TYPE_CHECKING:
    from fairlead.dataplane.graph.remote import Peer


class ServerUnit(AskedUnit):
    """A server at an address, of which nothing is known but where it is."""

    def __init__(self, unit: Unit, peer: "Peer") -> None:
        super().__init__(unit)
        self.peer = peer

    def close(self) -> None:
        """Drop the connections."""
        self.peer.close()
