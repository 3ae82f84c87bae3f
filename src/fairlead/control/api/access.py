"""Who may do what: everything. Whoever got past the token (or sits at the machine itself) is its owner.

These reviews exist because clients ask before they act.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fairlead.control.api.answers import json_response
from fairlead.control.api.calls import parse_document, read_body
from fairlead.control.api.negotiation import parse_media
from fairlead.dialects.base import Kind
from fairlead.errors import MethodNotAllowed

USER = "fairlead"
_ALL = ["*"]


def _may(_spec: dict[str, Any]) -> dict[str, Any]:
    return {"allowed": True, "reason": "the owner of this machine may do everything"}


def _rules(_spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceRules": [{"verbs": _ALL, "apiGroups": _ALL, "resources": _ALL}],
        "nonResourceRules": [{"verbs": _ALL, "nonResourceURLs": _ALL}],
        "incomplete": False,
    }


def _self(_spec: dict[str, Any]) -> dict[str, Any]:
    return {"userInfo": {"username": USER, "groups": ["system:masters", "system:authenticated"]}}


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


async def answer(kind: Kind, request: Request) -> Response:
    """The review as it was sent, with its status."""
    if request.method != "POST":
        raise MethodNotAllowed("the server does not allow this method on the requested resource")
    document = parse_document(await read_body(request), parse_media(request.headers.get("content-type", "")))
    head = {"kind": kind.kind, "apiVersion": f"{kind.group}/{kind.versions[0]}", "metadata": {}}
    status = _ANSWERS[kind](document.get("spec") or {})
    return json_response({**head, **document, "status": status}, status=201)
