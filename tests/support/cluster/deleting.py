"""Deleting: preconditions, finalizers, what becomes of the objects that are owned."""

from typing import Any

import orjson

from support.cluster.calls import Call
from support.cluster.reading import every
from support.cluster.refusals import bad_request, conflict, not_found
from support.cluster.state import State

Document = dict[str, Any]

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_POLICIES: dict[str, list[str]] = {"Foreground": [FOREGROUND], "Orphan": [ORPHAN], "Background": []}
_PODS = ("", "pods")
_NAMESPACES = ("", "namespaces")
_JOBS = ("batch", "jobs")


class Deleting:
    """The verbs that remove."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def one(self, call: Call) -> Document:
        """DELETE of an object. Answers with it while it waits for finalizers, and else with what was done."""
        key = call.resource.key
        found = self._state.storage.get(key, call.namespace, call.name)
        if found is None:
            raise not_found(call.resource.group, call.resource.plural, call.name)
        options = _options(call)
        _check_preconditions(call, options, found)
        await self._state.admission.validate(call, found, None, [])
        if call.is_dry_run:
            return _success(call, found)
        left = self._delete(call, found, options)
        return left if left is not None else _success(call, found)

    async def many(self, call: Call) -> Document:
        """DELETE of a collection."""
        options = _options(call)
        items = every(self._state.storage.all(call.resource.key, call.namespace), call)
        for item in items:
            if not call.is_dry_run:
                self._delete(call, item, options)
        kind = call.resource.list_kind
        metadata = {"resourceVersion": str(self._state.storage.revision)}
        return {"kind": kind, "apiVersion": call.api_version, "metadata": metadata, "items": items}

    def _delete(self, call: Call, found: Document, options: Document) -> Document | None:
        """What is left of the object, if it is not gone."""
        key = call.resource.key
        metadata = dict(found["metadata"])
        finalizers = [item for item in metadata.get("finalizers") or () if item not in (FOREGROUND, ORPHAN)]
        kept = [item for item in metadata.get("finalizers") or () if item in (FOREGROUND, ORPHAN)]
        policy = options.get("propagationPolicy")
        wanted = _POLICIES.get(str(policy), kept)
        finalizers += wanted
        grace = self._grace(call, found, options)
        if not finalizers and not grace and key != _NAMESPACES:
            self._state.remove(key, found)
            return None
        if metadata.get("deletionTimestamp") and finalizers == (metadata.get("finalizers") or []):
            return found
        metadata.setdefault("deletionTimestamp", self._state.now())
        metadata.setdefault("deletionGracePeriodSeconds", grace)
        if metadata.get("generation"):
            metadata["generation"] += 1
        metadata.pop("finalizers", None)
        if finalizers:
            metadata["finalizers"] = finalizers
        changed = {**found, "metadata": metadata}
        if key == _NAMESPACES:
            changed["status"] = {**(found.get("status") or {}), "phase": "Terminating"}
        return self._state.put(key, changed)

    def _grace(self, call: Call, found: Document, options: Document) -> int:
        """Only a pod on a node takes time to end."""
        if call.resource.key != _PODS or not found["spec"].get("nodeName"):
            return 0
        if (found.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return 0
        asked = options.get("gracePeriodSeconds")
        return int(found["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else asked)


def _options(call: Call) -> Document:
    options: Document = {}
    if call.body.strip():
        body = call.document() if "yaml" in call.content_type else orjson.loads(call.body)
        options = body if isinstance(body, dict) else {}
    if "propagationPolicy" in call.params:
        options["propagationPolicy"] = call.params["propagationPolicy"]
    if "gracePeriodSeconds" in call.params:
        options["gracePeriodSeconds"] = call.number("gracePeriodSeconds")
    if options.get("dryRun") == ["All"]:
        call.params["dryRun"] = "All"
    if options.get("orphanDependents") is not None and "propagationPolicy" not in options:
        options["propagationPolicy"] = "Orphan" if options["orphanDependents"] else "Background"
    if call.resource.key == _JOBS:
        # Pods of a Job stay behind unless the client says otherwise; kubectl does.
        options.setdefault("propagationPolicy", "Orphan")
    policy = options.get("propagationPolicy")
    if policy not in (None, "", "Foreground", "Background", "Orphan"):
        raise bad_request(f'invalid propagationPolicy "{policy}"; supported: Foreground, Background, Orphan')
    return options


_PRECONDITIONS = (("uid", "UID", "deleted and then recreated"), ("resourceVersion", "ResourceVersion", "modified"))


def _check_preconditions(call: Call, options: Document, found: Document) -> None:
    wanted = options.get("preconditions") or {}
    where = call.resource.group, call.resource.kind, call.name
    for field, word, why in _PRECONDITIONS:
        if wanted.get(field) and wanted[field] != found["metadata"][field]:
            text = f"the {word} in the precondition ({wanted[field]}) does not match the {word} in record"
            raise conflict(*where, f"{text} ({found['metadata'][field]}). The object might have been {why}")


def _success(call: Call, found: Document) -> Document:
    resource = call.resource
    details = {"name": call.name, "kind": resource.plural, "uid": found["metadata"]["uid"]}
    details |= {"group": resource.group} if resource.group else {}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
