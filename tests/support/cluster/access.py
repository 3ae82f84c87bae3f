"""Who calls, and what it may do. Until RBAC is asked for everybody may do everything, as with a cluster's
administrator."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from fairlead.control.api import kube_proto
from support.cluster.calls import Call
from support.cluster.discovery import REVIEWS
from support.cluster.refusals import Refusal, qualified
from support.cluster.state import State

Document = dict[str, Any]
User = tuple[str, tuple[str, ...]]

ADMIN: User = ("system:admin", ("system:masters", "system:authenticated"))
_ANONYMOUS: User = ("system:anonymous", ("system:unauthenticated",))
_RBAC = "rbac.authorization.k8s.io"
_VERBS = {"apply": "patch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May somebody do something?"""

    user: str
    groups: tuple[str, ...]
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass
class Access:
    """Tokens and rules."""

    state: State
    is_enforced: bool = False
    tokens: dict[str, User] = field(default_factory=dict)

    def account(self, namespace: str, name: str) -> str:
        """A token of a ServiceAccount."""
        token = f"token-of-{namespace}-{name}"
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        self.tokens[token] = (f"system:serviceaccount:{namespace}:{name}", groups)
        return token

    def who(self, authorization: str) -> User:
        """The user of a request."""
        kind, _, token = authorization.partition(" ")
        if kind.lower() == "bearer" and token in self.tokens:
            return self.tokens[token]
        if not self.is_enforced:
            return ADMIN
        if kind:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        return _ANONYMOUS

    def check(self, call: Call) -> None:
        """Refuse what the caller may not do."""
        if not self.is_enforced:
            return
        resource = call.resource
        verbs = [_VERBS.get(call.verb, call.verb)]
        if call.verb == "apply" and self.state.storage.get(resource.key, call.namespace, call.name) is None:
            verbs.append("create")
        for verb in verbs:
            question = Question(
                user=call.user,
                groups=call.groups,
                verb=verb,
                group=resource.group,
                resource=resource.plural,
                subresource=call.subresource,
                namespace=call.namespace,
                name=call.name,
            )
            if not self.allows(question):
                raise _forbidden(question)

    def allows(self, question: Question) -> bool:
        """Whether a rule that is bound to the user says so."""
        if "system:masters" in question.groups:
            return True
        return any(_covers(rule, question) for rule in self._rules(question))

    def _rules(self, question: Question) -> Iterator[Document]:
        storage = self.state.storage
        for binding in storage.all((_RBAC, "clusterrolebindings")):
            if _binds(binding, question, ""):
                yield from self._of_role(binding["roleRef"], "")
        if not question.namespace:
            return
        for binding in storage.all((_RBAC, "rolebindings"), question.namespace):
            if _binds(binding, question, question.namespace):
                yield from self._of_role(binding["roleRef"], question.namespace)

    def _of_role(self, reference: Document, namespace: str) -> Iterator[Document]:
        is_of_cluster = reference["kind"] == "ClusterRole"
        plural = "clusterroles" if is_of_cluster else "roles"
        role = self.state.storage.get((_RBAC, plural), "" if is_of_cluster else namespace, reference["name"])
        yield from (role or {}).get("rules") or ()
        for selector in ((role or {}).get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
            wanted = (selector.get("matchLabels") or {}).items()
            for other in self.state.storage.all((_RBAC, "clusterroles")):
                if wanted <= (other["metadata"].get("labels") or {}).items():
                    yield from other.get("rules") or ()


def _binds(binding: Document, question: Question, namespace: str) -> bool:
    for subject in binding.get("subjects") or ():
        name = subject["name"]
        if subject["kind"] == "ServiceAccount":
            name = f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"
        if subject["kind"] in ("User", "ServiceAccount") and name == question.user:
            return True
        if subject["kind"] == "Group" and name in question.groups:
            return True
    return False


def _covers(rule: Document, question: Question) -> bool:
    names = rule.get("resourceNames") or ()
    return (
        _has(rule.get("verbs"), question.verb)
        and _has(rule.get("apiGroups"), question.group)
        and (
            _has(rule.get("resources"), question.full_resource)
            or bool(question.subresource and f"*/{question.subresource}" in (rule.get("resources") or ()))
        )
        and (not names or question.name in names)
    )


def _has(values: Any, wanted: str) -> bool:
    return "*" in (values or ()) or wanted in (values or ())


def _forbidden(question: Question) -> Refusal:
    where = f'in the namespace "{question.namespace}"' if question.namespace else "at the cluster scope"
    about = qualified(question.group, question.resource)
    text = (
        f'{about} "{question.name}" is forbidden: User "{question.user}" cannot {question.verb} resource '
        f'"{question.full_resource}" in API group "{question.group}" {where}'
    )
    if not question.name:
        text = text.replace(' "" is forbidden', " is forbidden", 1)
    details = {"name": question.name, "group": question.group, "kind": question.resource}
    return Refusal(403, "Forbidden", text, {key: value for key, value in details.items() if value})


@dataclass
class Reviews:
    """Kinds that are answered and not stored."""

    access: Access

    async def answer(self, request: web.BaseRequest, user: str, groups: tuple[str, ...]) -> Document | None:
        """The review at a path, if there is one."""
        parts = request.path.strip("/").split("/")
        kind = REVIEWS.get((parts[1], parts[-1])) if len(parts) == 4 and parts[0] == "apis" else None
        if kind is None or request.method != "POST":
            return None
        content = await request.read()
        is_protobuf = request.headers.get("Content-Type") == kube_proto.MEDIA_TYPE
        body = kube_proto.decode(content) if is_protobuf else orjson.loads(content)
        head = {"kind": kind, "apiVersion": f"{parts[1]}/{parts[2]}", "metadata": {}}
        return {**head, **body, "status": self._status(kind, body.get("spec") or {}, user, groups)}

    def _status(self, kind: str, spec: Document, user: str, groups: tuple[str, ...]) -> Document:
        if kind == "SelfSubjectReview":
            return {"userInfo": {"username": user, "groups": list(groups)}}
        if kind == "TokenReview":
            known = self.access.tokens.get(spec.get("token", ""))
            if known is None:
                return {"authenticated": False, "error": "[invalid bearer token]"}
            return {"authenticated": True, "user": {"username": known[0], "groups": list(known[1])}}
        if kind == "SelfSubjectRulesReview":
            every = ["*"]
            return {"resourceRules": [{"verbs": every, "apiGroups": every, "resources": every}], "incomplete": True}
        wanted = spec.get("resourceAttributes") or {}
        who = (spec.get("user", ""), tuple(spec.get("groups") or ())) if kind.startswith("Subject") else (user, groups)
        question = Question(
            user=who[0],
            groups=who[1],
            verb=wanted.get("verb", ""),
            group=wanted.get("group", ""),
            resource=wanted.get("resource", ""),
            subresource=wanted.get("subresource", ""),
            namespace=wanted.get("namespace", ""),
            name=wanted.get("name", ""),
        )
        return {"allowed": not self.access.is_enforced or self.access.allows(question)}
