"""What every object goes through on its way in: identity, schema, defaults, checks, and the dialect's own webhook.

The order is an API server's, so the first refusal a person sees is the one they know.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

from fairlead.control import faults, metadata
from fairlead.control.api import validation
from fairlead.control.api.calls import Call
from fairlead.control.api.resources import Resource
from fairlead.control.ledger import Document
from fairlead.dialects.base import Kind
from fairlead.errors import BadRequest, InvalidManifest, Problem, Subject

Admission = Callable[[str, Kind, Document, Document | None], Document]
"""`(operation, kind, new, old) -> new`: CREATE or UPDATE of a custom object, which may change it or raise
`InvalidManifest`. Synchronous and quick: it runs between reading and writing."""


def admit_all(_operation: str, _kind: Kind, new: Document, _old: Document | None) -> Document:
    """No rules beyond the schema."""
    return new


def received(call: Call, document: Document) -> Document:
    """A body with its identity checked and completed: apiVersion, kind, namespace, name."""
    resource, address = call.resource, call.address
    _check_type(resource, document, address.version)
    given = document.get("metadata")
    if not isinstance(given, dict | None):
        raise BadRequest("metadata: expected an object")
    completed = dict(given or {})
    if resource.kind.is_namespaced:
        completed.setdefault("namespace", call.namespace)
        completed["namespace"] = completed["namespace"] or call.namespace
    else:
        completed.pop("namespace", None)
    if address.name:
        completed.setdefault("name", address.name)
    result = {**document, "metadata": completed}
    metadata.check_identity(resource.kind, result, namespace=call.namespace, name=address.name)
    return result


def _check_type(resource: Resource, document: Document, version: str) -> None:
    expected = resource.group_version(version)
    found_version, found_kind = document.get("apiVersion"), document.get("kind")
    if not found_kind and not found_version:
        document |= {"apiVersion": expected, "kind": resource.kind.kind}
        return
    if found_version != expected:
        raise BadRequest(
            f"the API version in the data ({found_version}) does not match the expected API version ({expected})"
        )
    if found_kind != resource.kind.kind:
        raise BadRequest(f"the kind in the data ({found_kind}) does not match the expected kind ({resource.kind.kind})")


def conform(call: Call, document: Document, warnings: list[str], *, is_partial: bool = False) -> Document:
    """The document as the schema of its version knows it, in the stored version; unknown fields are refused, warned of
    or dropped as the caller asked.

    A partial one (what a server-side apply sends) may lack what the schema requires of the whole.
    """
    resource = call.resource
    pruned = deepcopy(document)
    own_version = str(document.get("apiVersion") or "").rpartition("/")[2]
    findings = validation.examine(resource.shape(own_version).schema, pruned)
    mode = call.field_validation
    if findings.unknown and mode == "Strict":
        listed = ", ".join(str(one) for one in findings.unknown)
        kind, version = resource.kind.kind, call.address.version
        raise BadRequest(
            f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: {listed}'
        )
    if mode == "Warn":
        warnings.extend(str(one) for one in findings.unknown)
    problems = [p for p in findings.problems if not (is_partial and p.cause == "FieldValueRequired")]
    if problems:
        raise faults.invalid(resource.kind, pruned["metadata"].get("name") or "", problems)
    return resource.fold(resource.stored_form(pruned))


def admit(resource: Resource, new: Document, old: Document | None, admission: Admission) -> Document:
    """Defaults and checks of a whole object; `new` is in its stored form."""
    name = new["metadata"].get("name") or ""
    result = resource.prepare(new)
    problems = metadata.problems_of(resource.kind, result["metadata"]) + resource.check(result, old)
    if problems:
        raise faults.invalid(resource.kind, name, problems)
    try:
        return admission("UPDATE" if old is not None else "CREATE", resource.kind, result, old)
    except InvalidManifest as error:
        raise _denied(resource.kind, name, error) from error


def _as_cause(problem: Problem) -> Problem:
    """A cause repeats the value before the words (`Invalid value: "x": …`), as Kubernetes' field errors do."""
    return replace(problem, message=f'Invalid value: "{problem.value}": {problem.message}')


def _denied(kind: Kind, name: str, error: InvalidManifest) -> InvalidManifest:
    """A refusal by a dialect's rules reads as its webhook's, because scripts look for that."""
    webhook = kind.webhook or f"v1.v{kind.kind.lower()}.kb.io"
    text = f'admission webhook "{webhook}" denied the request: {error}'
    denied = InvalidManifest([_as_cause(problem) for problem in error.problems], message=text)
    denied.about(Subject(group=kind.group, kind=kind.kind, name=name))
    return denied
