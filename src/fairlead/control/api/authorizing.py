"""What a caller may do with objects: their role and token of the registry, in Kubernetes' words.

Guests look, developers create and change, admins do everything else too: delete, read Secrets, touch what belongs to
no namespace. A token that names namespaces reaches nothing outside of them, lists and watches over all included. What
runs is the first organization's: people of others reach nothing of it.
No caller at all is the owner, who came with the installation's own token or sits at the machine.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from fairlead.control.api.paths import Address
from fairlead.errors import Forbidden, Subject
from fairlead.registry.accounts.people import DEFAULT
from fairlead.registry.callers import Caller, Verb

READING = ("get", "list", "watch")
CHANGING = ("create", "update", "patch")
_SCOPE = "fairlead.caller"
_METHODS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One verb on a kind. `namespace` is None for all of them, and for kinds that have none."""

    verb: str
    group: str
    plural: str
    namespace: str | None = None
    name: str = ""
    subresource: str = ""
    is_namespaced: bool = True

    @property
    def resource(self) -> str:
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


def action_of(method: str, address: Address, *, is_namespaced: bool, is_watch: bool) -> Action:
    """What a request means to do."""
    if method == "DELETE":
        verb = "delete" if address.name else "deletecollection"
    elif method in _METHODS:
        verb = _METHODS[method]
    else:
        verb = "get" if address.name else "watch" if is_watch else "list"
    return Action(
        verb=verb, group=address.group, plural=address.plural, namespace=address.namespace, name=address.name,
        subresource=address.subresource, is_namespaced=is_namespaced,
    )  # fmt: skip


def refusal(caller: Caller | None, action: Action) -> str:
    """Why a caller may not do it; empty if they may."""
    if caller is None:
        return ""
    if caller.organization.name != DEFAULT and not caller.is_superuser:
        return f"what runs here is of the organization {DEFAULT}, not of {caller.organization.name}"
    if not caller.may(_verb_for(action), "deployment"):
        return f"{_who(caller)} may not"
    if caller.namespaces and not _is_inside(caller, action):
        return f"the token reaches only {', '.join(caller.namespaces)}"
    return ""


def authorize(caller: Caller | None, action: Action) -> None:
    """Raise Forbidden, worded as a cluster words it, unless the caller may."""
    why = refusal(caller, action)
    if caller is None or not why:
        return
    named = f' "{action.name}"' if action.name else ""
    where = "at the cluster scope" if action.namespace is None else f'in the namespace "{action.namespace}"'
    text = (
        f'{_qualified(action)}{named} is forbidden: User "{caller.user.name}" cannot {action.verb} resource '
        f'"{action.resource}" in API group "{action.group}" {where}: {why}'
    )
    raise Forbidden(text).about(Subject(group=action.group, kind=action.plural, name=action.name))


def _verb_for(action: Action) -> Verb:
    """What of the registry's verbs it takes. What is not known to be harmless takes the most."""
    if action.plural in ("secrets", "*") and action.group in ("", "*"):
        return Verb.OPERATE
    if action.verb in READING:
        return Verb.VIEW
    return Verb.UPDATE if action.verb in CHANGING and action.is_namespaced else Verb.OPERATE


def _is_inside(caller: Caller, action: Action) -> bool:
    if action.is_namespaced:
        return action.namespace in caller.namespaces
    if (action.group, action.plural) == ("", "namespaces"):
        return action.verb == "get" and action.name in caller.namespaces
    # Runtimes and settings for all namespaces hold nothing of anybody's, and what runs in one refers to them.
    return action.verb in READING


def _who(caller: Caller) -> str:
    role = caller.role_in("default")
    return f"the role {role}" + ("" if "api" in caller.scopes else f" with the scopes {', '.join(caller.scopes)}")


def _qualified(action: Action) -> str:
    return f"{action.plural}.{action.group}" if action.group else action.plural


def caller_in(scope: Mapping[str, Any]) -> Caller | None:
    """Who a request is from, as the guard found out."""
    found = scope.get(_SCOPE)
    return found if isinstance(found, Caller) else None


def put_caller(scope: MutableMapping[str, Any], caller: Caller) -> None:
    """Note who a request is from."""
    scope[_SCOPE] = caller
