"""The verbs that change objects: create, update, patch, delete and deletion of many."""

import secrets
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from fairlead.control import faults
from fairlead.control.api import patching
from fairlead.control.api.admitting import Admission, admit, conform, received
from fairlead.control.api.answers import json_response, success
from fairlead.control.api.calls import Call, parse_document, parse_json, unsupported
from fairlead.control.api.ownership import Writer, after_update, applied
from fairlead.control.api.rendering import Renderer
from fairlead.control.deletion import Propagation
from fairlead.control.ledger import Document
from fairlead.control.metadata import generated_name
from fairlead.control.store import Edit, Store
from fairlead.errors import AlreadyExists, BadRequest, NotFound

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_JSON = "application/json-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"

# Kubernetes' alphabet for generated names: no vowels, so that no words come out.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_ATTEMPTS = 8

Patch = Callable[[Document], Document]


def random_suffix() -> str:
    """Five characters."""
    return "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(5))


class Writing:
    """`now` gives times for field managers; `suffix` ends generated names."""

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        admission: Admission,
        *,
        now: Callable[[], str],
        suffix: Callable[[], str] = random_suffix,
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._admission = admission
        self._now = now
        self._suffix = suffix

    async def create(self, call: Call) -> Response:
        """A new object, under its name or a generated one."""
        warnings: list[str] = []
        document = conform(call, received(call, await call.document()), warnings)
        given = document["metadata"]
        if given.get("resourceVersion"):
            raise BadRequest("resourceVersion should not be set on objects to be created")
        prefix = given.get("generateName", "") if not given.get("name") else ""
        for attempt in range(_ATTEMPTS):
            if prefix:
                document["metadata"]["name"] = generated_name(prefix, self._suffix())
            try:
                stored = await self._create(call, document)
            except AlreadyExists:
                if not prefix or attempt == _ATTEMPTS - 1:
                    raise
            else:
                break
        return self._renderer.one(call, stored, status=201, warnings=warnings)

    async def _create(self, call: Call, document: Document) -> Document:
        """Like a cluster, look whether the name is free only after the document was found good."""
        resource = call.resource
        new = admit(resource, document, None, self._admission)
        bare = {key: value for key, value in new.items() if not (key == "status" and resource.kind.has_status)}
        owned = after_update(None, bare, resource.schema, self._writer(call))
        return await self._store.create(
            resource.storage, owned, status=resource.first_status(new), dry_run=call.is_dry_run
        )

    async def update(self, call: Call) -> Response:
        """Replace an object, or its status."""
        warnings: list[str] = []
        document = conform(call, received(call, await call.document()), warnings)
        stored = await self._change(call, lambda old: self._replaced(call, old, document))
        return self._renderer.one(call, stored, warnings=warnings)

    async def patch(self, call: Call) -> Response:
        """Change an object in one of the four ways."""
        if call.media.type == _APPLY:
            return await self._apply(call)
        warnings: list[str] = []
        change = _patch_of(call, await call.body())

        def edit(old: Document) -> Document:
            patched = change(call.resource.shown(old, call.address.version))
            if not isinstance(patched, dict):
                raise BadRequest("the patch leaves something that is not an object")
            warnings.clear()
            return self._replaced(call, old, conform(call, received(call, patched), warnings))

        stored = await self._change(call, edit)
        return self._renderer.one(call, stored, warnings=warnings)

    def _replaced(self, call: Call, old: Document, document: Document) -> Document:
        """What an update makes of the old object, by everybody's rules."""
        resource, writer = call.resource, self._writer(call)
        if writer.subresource == "status":
            new = {**old, "status": document.get("status", {}), "metadata": {**old["metadata"]}}
            new["metadata"]["resourceVersion"] = document["metadata"].get("resourceVersion", "")
        else:
            new = admit(resource, _with_status_of(old, document, resource.kind.has_status), old, self._admission)
        return after_update(old, new, resource.schema, writer)

    def rescaled(self, call: Call, old: Document, new: Document) -> Document:
        """What a write through the `scale` subresource makes of the old object."""
        checked = admit(call.resource, new, old, self._admission)
        writer = replace(self._writer(call), subresource="")
        return after_update(old, checked, call.resource.schema, writer)

    async def _apply(self, call: Call) -> Response:
        """Server-side apply: create what is missing, merge into what is there."""
        if not call.text("fieldManager"):
            raise BadRequest(
                'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
            )
        warnings: list[str] = []
        sent = received(call, parse_document(await call.body(), call.media))
        config = conform(call, sent, warnings, is_partial=True)
        if config["metadata"].get("managedFields"):
            raise BadRequest("metadata.managedFields must be nil")
        for _ in range(_ATTEMPTS):
            try:
                stored = await self._change(call, lambda old: self._merged(call, old, config))
            except NotFound as error:
                if call.address.subresource or error.subject is None or error.subject.name != call.address.name:
                    raise
            else:
                return self._renderer.one(call, stored, warnings=warnings)
            try:
                stored = await self._create_applied(call, config)
            except AlreadyExists:
                continue
            return self._renderer.one(call, stored, status=201, warnings=warnings)
        raise faults.modified(call.resource.kind, call.address.name)

    def _merged(self, call: Call, old: Document, config: Document) -> Document:
        resource, writer = call.resource, self._writer(call)
        merged = applied(old, config, resource.schema, writer, force=call.flag("force"))
        if writer.subresource == "status":
            return merged
        return admit(resource, conform(call, merged, []), old, self._admission)

    async def _create_applied(self, call: Call, config: Document) -> Document:
        resource = call.resource
        merged = applied(None, config, resource.schema, self._writer(call), force=False)
        new = admit(resource, conform(call, merged, []), None, self._admission)
        return await self._store.create(
            resource.storage, new, status=resource.first_status(new), dry_run=call.is_dry_run
        )

    async def _change(self, call: Call, edit: Edit) -> Document:
        return await self._store.change(
            call.resource.storage,
            call.namespace,
            call.address.name,
            edit,
            subresource=call.address.subresource,
            dry_run=call.is_dry_run,
        )

    def _writer(self, call: Call) -> Writer:
        return Writer(
            manager=call.manager,
            api_version=call.resource.group_version(call.address.version),
            now=self._now(),
            subresource=call.address.subresource,
            has_status=call.resource.kind.has_status,
        )

    async def delete(self, call: Call) -> Response:
        """One object."""
        options = await _delete_options(call)
        wanted = options.get("preconditions") or {}
        document = await self._store.delete(
            call.resource.storage,
            call.namespace,
            call.address.name,
            propagation=_propagation(call, options),
            uid=wanted.get("uid") or "",
            resource_version=wanted.get("resourceVersion") or "",
            dry_run=_is_dry(call, options),
        )
        metadata = document["metadata"]
        if metadata.get("deletionTimestamp") and metadata.get("finalizers"):
            return self._renderer.one(call, document)
        kind = call.resource.kind
        answer = success(name=metadata["name"], group=kind.group, plural=kind.plural, uid=metadata["uid"])
        return json_response(answer, pretty=call.is_pretty)

    async def delete_many(self, call: Call) -> Response:
        """Every object that the selectors find."""
        options = await _delete_options(call)
        listing = await self._store.list(call.resource.storage, call.address.namespace, call.selector)
        for document in listing.items:
            metadata = document["metadata"]
            try:
                await self._store.delete(
                    call.resource.storage,
                    metadata.get("namespace") or "",
                    metadata["name"],
                    propagation=_propagation(call, options),
                    dry_run=_is_dry(call, options),
                )
            except NotFound:
                continue  # it went along with one deleted before it
        return self._renderer.many(call, listing)


def _with_status_of(old: Document, document: Document, has_status: bool) -> Document:
    if not has_status:
        return document
    rest = {key: value for key, value in document.items() if key != "status"}
    return {**rest, "status": deepcopy(old["status"])} if "status" in old else rest


def _patch_of(call: Call, body: bytes) -> Patch:
    """The change that a patch asks for, by its type."""
    accepted = [_JSON, _MERGE, *([_STRATEGIC] if call.resource.is_core else []), _APPLY]
    kind = call.media.type
    if kind not in accepted:
        raise unsupported(*accepted)
    patch = parse_json(body)
    if kind == _JSON:
        return lambda old: patching.json_patch(old, patch)
    if not isinstance(patch, dict):
        raise BadRequest("a merge patch is an object")
    if kind == _MERGE:
        return lambda old: patching.merge_patch(old, patch)
    return lambda old: patching.strategic_merge(old, patch, call.resource.schema)


async def _delete_options(call: Call) -> dict[str, Any]:
    body = await call.body()
    if not body.strip():
        return {}
    options = parse_document(body, call.media)
    if options.get("kind") not in ("DeleteOptions", None):
        raise BadRequest(f"expected DeleteOptions in the body of a deletion, got {options.get('kind')}")
    return options


def _propagation(call: Call, options: dict[str, Any]) -> Propagation:
    asked = call.text("propagationPolicy") or options.get("propagationPolicy")
    if options.get("orphanDependents") is True or call.text("orphanDependents") == "true":
        return Propagation.ORPHAN
    if not asked:
        return Propagation.BACKGROUND
    try:
        return Propagation(asked)
    except ValueError:
        known = ", ".join(f'"{policy}"' for policy in Propagation)
        raise BadRequest(f'propagationPolicy: Unsupported value: "{asked}": supported values: {known}') from None


def _is_dry(call: Call, options: dict[str, Any]) -> bool:
    return call.is_dry_run or "All" in (options.get("dryRun") or ())
