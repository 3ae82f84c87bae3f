"""Objects and lists in the form a client asked for: whole, as a table, or metadata only."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.responses import Response

from fairlead.control.api.answers import json_response
from fairlead.control.api.calls import Call
from fairlead.control.api.negotiation import Form
from fairlead.control.api.tables import partial_metadata, table
from fairlead.control.ledger import Document
from fairlead.control.store import Listing


class Renderer:
    """`clock` is for the ages in tables."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def document(self, call: Call, stored: Document) -> Document:
        """One object as the body of an answer or of a watch event."""
        shown = call.resource.shown(stored, call.address.version)
        if call.form is Form.TABLE:
            metadata = {"resourceVersion": shown["metadata"].get("resourceVersion", "")}
            return self._table(call, [shown], metadata)
        return partial_metadata(shown) if call.form is Form.METADATA else shown

    def one(self, call: Call, stored: Document, *, status: int = 200, warnings: list[str] | None = None) -> Response:
        """The answer that is one object."""
        return json_response(self.document(call, stored), status=status, pretty=call.is_pretty, warnings=warnings)

    def many(self, call: Call, listing: Listing) -> Response:
        """The answer that is a list."""
        metadata: dict[str, Any] = {"resourceVersion": str(listing.revision)}
        if listing.next_page:
            metadata |= {"continue": listing.next_page, "remainingItemCount": listing.remaining}
        shown = [call.resource.shown(item, call.address.version) for item in listing.items]
        return json_response(self._list(call, shown, metadata), pretty=call.is_pretty)

    def _list(self, call: Call, shown: list[Document], metadata: dict[str, Any]) -> Document:
        if call.form is Form.TABLE:
            return self._table(call, shown, metadata)
        if call.form is Form.METADATA:
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": [partial_metadata(document) for document in shown],
            }
        return {
            "kind": f"{call.resource.kind.kind}List",
            "apiVersion": call.resource.group_version(call.address.version),
            "metadata": metadata,
            "items": shown,
        }

    def _table(self, call: Call, shown: list[Document], metadata: dict[str, Any]) -> Document:
        include = call.text("includeObject") or "Metadata"
        layout = call.resource.shape(call.address.version).layout
        return table(layout, shown, metadata=metadata, now=self._clock(), include=include)
