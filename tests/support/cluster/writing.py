"""Creating, replacing, patching and applying: from a request to what is stored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from support.cluster import builtin, definitions, metadata
from support.cluster.applying import Writer, after_update, applied
from support.cluster.bodies import (
    as_version,
    bad_options,
    cannot_be_handled,
    check_uid_of_the_absent,
    check_versions,
    object_of,
    patched,
)
from support.cluster.calls import Call, patch_type
from support.cluster.refusals import (
    Cause,
    Refusal,
    already_exists,
    bad_request,
    conflict,
    invalid,
    not_found,
)
from support.cluster.schemas import Schema
from support.cluster.state import State
from support.cluster.structure import Shape, copied
from support.cluster.validation import semantic_problems

Document = dict[str, Any]
Build = Callable[[Document | None], Document]
_ATTEMPTS = 5


@dataclass
class Written:
    """What a write answers."""

    document: Document
    code: int = 200
    warnings: list[str] = field(default_factory=list)


class Writing:
    """The writing half of the API."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def create(self, call: Call) -> Written:
        """POST."""
        body = object_of(call, call.document())
        if call.name and call.subresource:
            raise bad_request("this subresource cannot be created")

        def build(_old: Document | None) -> Document:
            return copied(body)

        name = body["metadata"].get("name")
        self._require_namespace(call)
        if body["metadata"].get("resourceVersion"):
            raise Refusal(500, "", "resourceVersion should not be set on objects to be created")
        if name and self._state.storage.get(call.resource.key, call.namespace, name) is not None:
            raise already_exists(call.resource.group, call.resource.plural, name)
        return await self._write(call, name or "", build, creates=True)

    async def update(self, call: Call) -> Written:
        """PUT."""
        body = object_of(call, call.document())

        def build(old: Document | None) -> Document:
            if old is None:
                raise not_found(call.resource.group, call.resource.plural, call.name)
            check_versions(call, body, old)
            if call.resource.is_custom and not body["metadata"].get("resourceVersion"):
                text = "Invalid value: 0: must be specified for an update"
                cause = Cause("metadata.resourceVersion", text)
                raise invalid(call.resource.group, call.resource.plural, call.name, [cause])
            return copied(body)

        return await self._write(call, call.name, build, retries=not body["metadata"].get("resourceVersion"))

    async def patch(self, call: Call) -> Written:
        """PATCH, of all four kinds."""
        kind = patch_type(call)
        if kind == "apply":
            return await self._apply(call)
        if call.params.get("force"):
            raise bad_options(Cause("force", "Forbidden: may not be specified for non-apply patch"))
        patch = call.document()

        def build(old: Document | None) -> Document:
            if old is None:
                raise not_found(call.resource.group, call.resource.plural, call.name)
            changed = patched(kind, as_version(old, call), patch, call)
            check_versions(call, changed, old)
            return object_of(call, changed)

        return await self._write(call, call.name, build)

    async def _apply(self, call: Call) -> Written:
        body = call.document()
        if not call.params.get("fieldManager"):
            raise bad_options(
                Cause("fieldManager", "Required value: is required for apply patch", "FieldValueRequired")
            )
        body = object_of(call, body)
        if body["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        writer = self._writer(call)
        schema = self._schema(call)

        def build(old: Document | None) -> Document:
            if old is None:
                check_uid_of_the_absent(call, body)
                if call.subresource:
                    raise not_found(call.resource.group, call.resource.plural, call.name)
            else:
                check_versions(call, body, old)
            live = as_version(old, call) if old is not None else None
            return copied(applied(live, body, schema, writer, force=call.flag("force")))

        return await self._write(call, call.name, build, applies=True)

    async def _write(
        self,
        call: Call,
        name: str,
        build: Build,
        *,
        creates: bool = False,
        applies: bool = False,
        retries: bool = True,
    ) -> Written:
        for attempt in range(_ATTEMPTS):
            old = self._state.storage.get(call.resource.key, call.namespace, name) if not creates else None
            new = build(old)
            if old is None and not creates:
                self._require_namespace(call)
            written = Written({}, 201 if old is None else 200)
            new = self._shaped(call, old, new, written, strictly=not applies)
            new = await self._mutated(call, old, new)
            new = self._finished(call, old, new, applies=applies)
            await self._state.admission.validate(call, old, new, written.warnings)
            found = self._state.storage.get(call.resource.key, call.namespace, new["metadata"]["name"])
            if found is old or (creates and found is None):
                written.document = self._stored(call, old, new)
                return written
            if creates:
                raise already_exists(call.resource.group, call.resource.plural, new["metadata"]["name"])
            if not retries or attempt == _ATTEMPTS - 1:
                break
        raise conflict(call.resource.group, call.resource.plural, name)

    def _stored(self, call: Call, old: Document | None, new: Document) -> Document:
        key = call.resource.key
        if call.is_dry_run:
            return new if old is None else {**new, "metadata": new["metadata"]}
        if old is not None and _is_same(old, new):
            return old
        if old is not None and _may_go(new["metadata"]):
            return self._state.remove(key, new)
        return self._state.put(key, new)

    def _shaped(self, call: Call, old: Document | None, new: Document, written: Written, *, strictly: bool) -> Document:
        """Only what this part of the API may change, in the shape of its schema."""
        resource = call.resource
        if old is not None and call.subresource == "status":
            kept = {key: value for key, value in old.items() if key != "status"}
            meta = {**old["metadata"], "managedFields": new["metadata"].get("managedFields")}
            new = kept | {"metadata": meta} | ({"status": new["status"]} if "status" in new else {})
        elif resource.has_status:
            new = {key: value for key, value in new.items() if key != "status"}
            new |= {"status": old["status"]} if old and "status" in old else {}
        has_generation = resource.has_generation
        if old is None:
            meta = metadata.begun(
                new["metadata"], now=self._state.now(), random=self._state.random, has_generation=has_generation
            )
            if resource.is_namespaced:
                meta["namespace"] = call.namespace
        else:
            meta = metadata.continued(new["metadata"], old["metadata"])
        new = {"apiVersion": call.api_version, "kind": resource.kind, **new, "metadata": meta}
        shape = Shape(is_custom=resource.is_custom)
        new = shape.walk(new, self._schema(call))
        self._judge(call, shape, written, strictly=strictly)
        if shape.problems:
            raise invalid(resource.group, resource.kind, meta.get("name", ""), shape.problems)
        return new

    async def _mutated(self, call: Call, old: Document | None, new: Document) -> Document:
        """After the webhooks, which may have made it a wrong one."""
        changed = await self._state.admission.mutate(call, old, new)
        if changed is new:
            return new
        shape = Shape(is_custom=call.resource.is_custom)
        result: Document = shape.walk(changed, self._schema(call))
        self._judge(call, shape, Written({}), strictly=False)
        if shape.problems:
            raise invalid(call.resource.group, call.resource.kind, call.name, shape.problems)
        return result

    def _judge(self, call: Call, shape: Shape, written: Written, *, strictly: bool) -> None:
        if shape.mismatches:
            raise bad_request(cannot_be_handled(call) + shape.mismatches[0])
        unknown = [f'unknown field "{path}"' for path in shape.unknown if not path.startswith("metadata.managedFields")]
        if not unknown or not strictly:
            return
        asked = call.params.get("fieldValidation") or "Warn"
        if asked == "Strict":
            raise bad_request(cannot_be_handled(call) + "strict decoding error: " + ", ".join(unknown))
        if asked == "Warn":
            written.warnings += unknown

    def _finished(self, call: Call, old: Document | None, new: Document, *, applies: bool) -> Document:
        resource = call.resource
        if not resource.is_custom:
            builtin.prepare(resource.key, new, old, self._state.allocator)
        if resource.key == definitions.KEY:
            definitions.prepare(new, self._state.now())
        problems = metadata.problems(resource, new["metadata"])
        problems += semantic_problems(resource, new)
        if old is not None:
            problems += builtin.changes_of_the_immutable(resource.key, new, old)
            problems += _changes_of_the_deleted(old, new)
        if problems:
            raise invalid(resource.group, resource.kind, new["metadata"]["name"], problems)
        if old is not None and resource.has_generation:
            new["metadata"]["generation"] = old["metadata"].get("generation", 1) + _has_new_content(old, new)
        is_scale_of_custom = call.subresource == "scale" and resource.is_custom
        if not applies and not is_scale_of_custom:
            before = as_version(old, call) if old is not None else None
            new = after_update(before, new, self._schema(call), self._writer(call))
        return new

    def _schema(self, call: Call) -> Schema:
        return call.resource.schemas[call.version]

    def _writer(self, call: Call) -> Writer:
        return Writer(
            manager=call.manager,
            api_version=call.api_version,
            now=self._state.now(),
            subresource=call.subresource,
            ignored=("f:status",) if call.resource.has_status else (),
        )

    def _require_namespace(self, call: Call) -> None:
        if not call.resource.is_namespaced:
            return
        if not call.namespace:
            raise bad_request("an empty namespace may not be set during creation")
        found = self._state.storage.get(("", "namespaces"), "", call.namespace)
        if found is None:
            raise not_found("", "namespaces", call.namespace)
        if found["metadata"].get("deletionTimestamp"):
            text = f"unable to create new content in namespace {call.namespace} because it is being terminated"
            raise Refusal(403, "Forbidden", f'{call.resource.plural} "{call.name}" is forbidden: {text}')


def _may_go(meta: Document) -> bool:
    """Whether an object that is being deleted waits for nothing any more."""
    return not meta.get("finalizers") and "deletionTimestamp" in meta and not meta.get("deletionGracePeriodSeconds")


def _has_new_content(old: Document, new: Document) -> bool:
    """Whether anything but metadata and status differs."""
    beside = ("metadata", "status", "apiVersion")
    return {k: v for k, v in old.items() if k not in beside} != {k: v for k, v in new.items() if k not in beside}


def _is_same(old: Document, new: Document) -> bool:
    """Whether nothing differs but when a manager last said so."""
    return _timeless(old) == _timeless(new)


def _timeless(document: Document) -> Document:
    managers = document["metadata"].get("managedFields") or ()
    meta = {key: value for key, value in document["metadata"].items() if value is not None}
    meta["managedFields"] = [{key: value for key, value in entry.items() if key != "time"} for entry in managers]
    return {**document, "metadata": meta, "apiVersion": ""}


def _changes_of_the_deleted(old: Document, new: Document) -> list[Cause]:
    """Nobody adds a finalizer to an object that is on its way out."""
    if not old["metadata"].get("deletionTimestamp"):
        return []
    added = sorted(set(new["metadata"].get("finalizers") or ()) - set(old["metadata"].get("finalizers") or ()))
    text = "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
    return [Cause("metadata.finalizers", text + str(added), "FieldValueForbidden")] if added else []
