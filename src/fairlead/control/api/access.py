"""Who may do what, for clients that ask before they act: answered by the rules that requests are held to.

Whoever came with the installation's own token, or sits at the machine, is its owner and may do everything.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fairlead.control.api.answers import json_response
from fairlead.control.api.authorizing import Action, caller_in, refusal
from fairlead.control.api.calls import parse_document, read_body
from fairlead.control.api.negotiation import parse_media
from fairlead.control.api.resources import Resources
from fairlead.dialects.base import Kind
from fairlead.errors import MethodNotAllowed
from fairlead.registry.callers import Caller

USER = "fairlead"
_ALL = ["*"]
_OPEN_PATHS = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi/*", "/readyz", "/version"]


def _may(spec: dict[str, Any], caller: Caller | None, resources: Resources) -> dict[str, Any]:
    if caller is None:
        return {"allowed": True, "reason": "the owner of this machine may do everything"}
    if spec.get("user", caller.user.name) != caller.user.name:
        return {"allowed": False, "evaluationError": "only the caller's own access is known here"}
    if "nonResourceAttributes" in spec:
        is_allowed = _is_open(spec["nonResourceAttributes"] or {})
        return {"allowed": is_allowed, "reason": "" if is_allowed else "only discovery, health and versions are open"}
    why = refusal(caller, _asked(spec.get("resourceAttributes") or {}, resources))
    return {"allowed": not why, "reason": why}


def _asked(attributes: dict[str, Any], resources: Resources) -> Action:
    given = {name: str(attributes.get(name) or "") for name in ("verb", "group", "resource", "name", "subresource")}
    return Action(
        verb=given["verb"],
        group=given["group"],
        plural=given["resource"],
        namespace=attributes.get("namespace") or None,
        name=given["name"],
        subresource=given["subresource"],
        is_namespaced=all(
            each.kind.is_namespaced
            for each in resources
            if (each.kind.group, each.kind.plural) == (given["group"], given["resource"])
        ),
    )


def _is_open(attributes: dict[str, Any]) -> bool:
    path = str(attributes.get("path", ""))
    is_known = any(path == known or (known.endswith("*") and path.startswith(known[:-1])) for known in _OPEN_PATHS)
    return attributes.get("verb") == "get" and is_known


def _rules(spec: dict[str, Any], caller: Caller | None, resources: Resources) -> dict[str, Any]:
    """What the caller may do in one namespace, kind by kind, because Secrets are less open than the rest."""
    if caller is None:
        everything = {"verbs": _ALL, "apiGroups": _ALL, "resources": _ALL}
        return {
            "resourceRules": [everything],
            "nonResourceRules": [{"verbs": _ALL, "nonResourceURLs": _ALL}],
            "incomplete": False,
        }
    namespace = str(spec.get("namespace") or "default")
    by_verbs: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for resource in resources:
        kind = resource.kind
        verbs = tuple(
            verb for verb in resource.verbs
            if not refusal(caller, _action(verb, kind.group, kind.plural, namespace, kind.is_namespaced))
        )  # fmt: skip
        if verbs:
            by_verbs.setdefault((kind.group, verbs), set()).update({kind.plural, f"{kind.plural}/status"})
    return {
        "resourceRules": [
            {"verbs": list(verbs), "apiGroups": [group], "resources": sorted(plurals)}
            for (group, verbs), plurals in by_verbs.items()
        ],
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": _OPEN_PATHS}],
        "incomplete": False,
    }


def _action(verb: str, group: str, plural: str, namespace: str, is_namespaced: bool) -> Action:
    place = namespace if is_namespaced else None
    return Action(verb=verb, group=group, plural=plural, namespace=place, is_namespaced=is_namespaced)


def _self(_spec: dict[str, Any], caller: Caller | None, _resources: Resources) -> dict[str, Any]:
    if caller is None:
        return {"userInfo": {"username": USER, "groups": ["system:masters", "system:authenticated"]}}
    role = caller.role_in("default")
    return {
        "userInfo": {
            "username": caller.user.name,
            "uid": caller.user.uid,
            "groups": [f"fairlead:{role}", "system:authenticated"],
            "extra": {"fairlead.dev/token": [caller.token_name]} if caller.token_name else {},
        }
    }


def _review(group: str, kind: str) -> Kind:
    return Kind(
        group=group,
        versions=("v1",),
        kind=kind,
        plural=f"{kind.lower()}s",
        singular=kind.lower(),
        is_namespaced=kind.startswith("Local"),
    )


_AUTHORIZATION, _AUTHENTICATION = "authorization.k8s.io", "authentication.k8s.io"
_ANSWERS = {
    _review(_AUTHORIZATION, "SelfSubjectAccessReview"): _may,
    _review(_AUTHORIZATION, "SelfSubjectRulesReview"): _rules,
    _review(_AUTHORIZATION, "SubjectAccessReview"): _may,
    _review(_AUTHORIZATION, "LocalSubjectAccessReview"): _may,
    _review(_AUTHENTICATION, "SelfSubjectReview"): _self,
}
REVIEWS = tuple(_ANSWERS)
"""Kinds that can only be created, and are answered rather than stored."""


def find_review(group: str, version: str, plural: str) -> Kind | None:
    """The review at an address."""
    return next(
        (kind for kind in REVIEWS if (kind.group, kind.versions[0], kind.plural) == (group, version, plural)), None
    )


async def answer(kind: Kind, request: Request, resources: Resources) -> Response:
    """The review as it was sent, with its status."""
    if request.method != "POST":
        raise MethodNotAllowed("the server does not allow this method on the requested resource")
    document = parse_document(await read_body(request), parse_media(request.headers.get("content-type", "")))
    head = {"kind": kind.kind, "apiVersion": f"{kind.group}/{kind.versions[0]}", "metadata": {}}
    spec = document.get("spec")
    status = _ANSWERS[kind](spec if isinstance(spec, dict) else {}, caller_in(request.scope), resources)
    return json_response({**head, **document, "status": status}, status=201)
