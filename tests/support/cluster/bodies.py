"""What a request sends, held against the place it is sent to and against what is stored."""

from typing import Any

from fairlead.control.api import patching
from fairlead.errors import FairleadError
from support.cluster.calls import Call
from support.cluster.refusals import Cause, Refusal, bad_request, conflict, invalid

Document = dict[str, Any]


def object_of(call: Call, body: Any) -> Document:
    """A body as an object of the place it was sent to."""
    if not isinstance(body, dict) or not isinstance(body.get("metadata", {}), dict | None):
        raise bad_request("the object provided is unrecognized: it is not an object with metadata")
    if not body.get("apiVersion") or not body.get("kind"):
        missing = "Kind" if not body.get("kind") else "apiVersion"
        text = (
            f"the object provided is unrecognized (must be of type {call.resource.kind}): Object '{missing}' is missing"
        )
        raise bad_request(text)
    if call.resource.is_custom and body["kind"] != call.resource.kind:
        cause = Cause("kind", f'Invalid value: "{body["kind"]}": must be {call.resource.kind}')
        raise invalid(call.resource.group, body["kind"], (body.get("metadata") or {}).get("name", ""), [cause])
    if (body["apiVersion"], body["kind"]) != (call.api_version, call.resource.kind):
        sent, expected = f"{body['apiVersion']}, Kind={body['kind']}", f"{call.api_version}, Kind={call.resource.kind}"
        text = f"the object provided ({sent}) does not belong where it was sent ({expected})"
        raise bad_request(text)
    meta = body.get("metadata") or {}
    if call.name and meta.get("name", call.name) != call.name:
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({call.name})")
    if call.namespace and (meta.get("namespace") or call.namespace) != call.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    named = {"name": call.name} if call.name else {}
    return {**body, "metadata": {**meta, **named}}


def cannot_be_handled(call: Call) -> str:
    """The beginning of what is said of a body that cannot be read as its kind."""
    kind = call.resource.kind
    return f'{kind} in version "{call.version}" cannot be handled as a {kind}: '


def bad_options(cause: Cause) -> Refusal:
    """Parameters of a patch that make no sense together."""
    return invalid("meta.k8s.io", "PatchOptions", "", [cause])


def as_version(document: Document, call: Call) -> Document:
    """A stored object in the version of the call: all versions of a kind have one shape here."""
    return {**document, "apiVersion": call.api_version}


def patched(kind: str, old: Document, patch: Any, call: Call) -> Document:
    """The object after a patch of one of the three kinds that are no apply."""
    try:
        if kind == "json":
            result = patching.json_patch(old, patch)
        elif kind == "merge":
            result = patching.merge_patch(old, patch)
        else:
            result = patching.strategic_merge(old, patch, call.resource.schemas[call.version])
    except FairleadError as error:
        raise Refusal(error.http, error.reason, str(error)) from error
    if not isinstance(result, dict):
        raise bad_request("the patch makes no object")
    return result


def check_versions(call: Call, body: Document, old: Document) -> None:
    """Refuse a body that is about another object, or about an older state of it."""
    meta = body["metadata"]
    where = call.resource.group, call.resource.plural, old["metadata"]["name"]
    if meta.get("uid") and meta["uid"] != old["metadata"]["uid"] and call.verb == "patch":
        cause = Cause("metadata.uid", f'Invalid value: "{meta["uid"]}": field is immutable')
        raise invalid(call.resource.group, call.resource.kind, old["metadata"]["name"], [cause])
    if meta.get("uid") and meta["uid"] != old["metadata"]["uid"]:
        text = f"UID in precondition: {meta['uid']}, UID in object meta: {old['metadata']['uid']}"
        raise conflict(*where, f"Precondition failed: {text}")
    if meta.get("resourceVersion") and meta["resourceVersion"] != old["metadata"]["resourceVersion"]:
        raise conflict(*where)


def check_uid_of_the_absent(call: Call, body: Document) -> None:
    """Refuse to create what the client takes for something that was there."""
    uid = body["metadata"].get("uid")
    if uid:
        text = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise conflict(call.resource.group, call.resource.plural, call.name, text)
