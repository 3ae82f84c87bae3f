"""Getting and listing: selectors, pages, tables."""

import base64
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import orjson

from fairlead.control import selectors
from fairlead.control.api import tables
from fairlead.control.api.negotiation import Form, wanted_form
from fairlead.errors import FairleadError
from support.cluster.calls import Call
from support.cluster.columns import layout
from support.cluster.refusals import Refusal, bad_request, gone, not_found, too_large
from support.cluster.state import State

Document = dict[str, Any]
Matches = Callable[[Document], bool]

_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): ("spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"),
    ("", "events"): (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "reason",
        "type",
        "source",
        "reportingComponent",
    ),
    ("", "secrets"): ("type",),
    ("", "namespaces"): ("status.phase",),
    ("apps", "replicasets"): ("status.replicas",),
    ("batch", "jobs"): ("status.successful",),
}


class Reading:
    """The reading half of the API."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pages: dict[str, tuple[int, list[Document]]] = {}
        self._page = 0

    def get(self, call: Call) -> Document:
        """One object, as the client wants it."""
        found = self._state.storage.get(call.resource.key, call.namespace, call.name)
        if found is None:
            raise not_found(call.resource.group, call.resource.plural, call.name)
        return self.shown(call, found)

    def shown(self, call: Call, document: Document) -> Document:
        """An object in the version and the form that the client asks for."""
        document = {**document, "apiVersion": call.api_version}
        form = self._form(call)
        if form is Form.TABLE:
            return self._table(call, [document], {"resourceVersion": document["metadata"]["resourceVersion"]})
        return tables.partial_metadata(document) if form is Form.METADATA else document

    def many(self, call: Call) -> Document:
        """Many objects."""
        metadata, items = self._page_of(call)
        form = self._form(call)
        items = [{**item, "apiVersion": call.api_version} for item in items]
        if form is Form.TABLE:
            return self._table(call, items, metadata)
        if form is Form.METADATA:
            kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
            return {
                "kind": kind,
                "apiVersion": version,
                "metadata": metadata,
                "items": [tables.partial_metadata(item) for item in items],
            }
        if not call.resource.is_custom:
            # Items of built-in lists do not say what they are: the list does.
            items = [{key: value for key, value in item.items() if key not in ("apiVersion", "kind")} for item in items]
        kind = call.resource.list_kind
        return {"kind": kind, "apiVersion": call.api_version, "metadata": metadata, "items": items}

    def _page_of(self, call: Call) -> tuple[Document, list[Document]]:
        token = call.params.get("continue", "")
        limit = call.number("limit")
        if token:
            revision, rest = self._continued(token)
        else:
            self._check_version(call)
            revision = self._state.storage.revision
            matches = matching(call)
            rest = [item for item in self._state.storage.all(call.resource.key, call.namespace) if matches(item)]
        metadata: Document = {"resourceVersion": str(revision)}
        if limit and len(rest) > limit:
            metadata["continue"] = self._remember(revision, rest[limit:])
            if "labelSelector" not in call.params and "fieldSelector" not in call.params:
                metadata["remainingItemCount"] = len(rest) - limit
            rest = rest[:limit]
        return metadata, rest

    def _check_version(self, call: Call) -> None:
        asked = call.number("resourceVersion")
        if asked > self._state.storage.revision:
            raise too_large(asked, self._state.storage.revision)
        if call.params.get("resourceVersionMatch") == "Exact" and asked < self._state.storage.revision:
            raise gone(f"The provided resource version is too old: {asked}")

    def _remember(self, revision: int, rest: list[Document]) -> str:
        self._page += 1
        token = base64.urlsafe_b64encode(orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": self._page}))
        self._pages[token.decode()] = (revision, rest)
        return token.decode()

    def _continued(self, token: str) -> tuple[int, list[Document]]:
        if token not in self._pages:
            text = "The provided continue parameter is too old to display a consistent list result."
            raise gone(text)
        return self._pages[token]

    def forget_pages(self) -> None:
        """Lists that were begun cannot be continued."""
        self._pages.clear()

    def _form(self, call: Call) -> Form:
        return form_of(call)

    def _table(self, call: Call, items: list[Document], metadata: Document) -> Document:
        include = call.params.get("includeObject", "Metadata")
        return tables.table(
            layout(call.resource, call.version), items, metadata=metadata, now=self._now(), include=include
        )

    def _now(self) -> datetime:
        return self._state.clock()


def form_of(call: Call) -> Form:
    """As the Accept header says; protobuf is not spoken."""
    try:
        return wanted_form(call.accept)
    except FairleadError as error:
        raise Refusal(error.http, error.reason, str(error)) from error


def matching(call: Call) -> Matches:
    """The selectors of a call."""
    try:
        labels = selectors.parse_labels(call.params.get("labelSelector", ""))
        supported = ("metadata.name", "metadata.namespace", *_FIELDS.get(call.resource.key, ()))
        fields = selectors.parse_fields(call.params.get("fieldSelector", ""), supported)
    except FairleadError as error:
        raise bad_request(str(error).partition(" (supported")[0]) from error
    selector = selectors.Selector(labels, fields)
    name = call.name

    def matches(document: Document) -> bool:
        metadata = document["metadata"]
        if name and metadata["name"] != name:
            return False
        return selector.matches_labels(metadata.get("labels") or {}) and selector.matches_fields(document)

    return matches


def every(items: Iterator[Document], call: Call) -> list[Document]:
    """Those that a call selects."""
    matches = matching(call)
    return [item for item in items if matches(item)]
