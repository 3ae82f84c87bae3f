"""Admission webhooks: called over HTTPS as their configurations say, with what an API server sends and understands."""

import base64
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from fairlead.control.api import patching
from fairlead.errors import FairleadError
from support.cluster import pod_security
from support.cluster.calls import Call
from support.cluster.metadata import new_uid
from support.cluster.refusals import Refusal
from support.cluster.state import State

Document = dict[str, Any]
_GROUP = "admissionregistration.k8s.io"
_MUTATING, _VALIDATING = (_GROUP, "mutatingwebhookconfigurations"), (_GROUP, "validatingwebhookconfigurations")
_SERVICES = ("", "services")


class _Unreachable(Exception):
    """A webhook that did not answer, or not as a webhook does."""


@dataclass
class Webhooks:
    """The admission of a cluster. `addresses` says where the Services of webhooks really listen: the URL of an
    origin, by namespace and name."""

    state: State
    addresses: dict[tuple[str, str], str] = field(default_factory=dict)
    calls: list[Document] = field(default_factory=list)

    async def mutate(self, call: Call, old: Document | None, new: Document) -> Document:
        """Ask the mutating webhooks, one after the other."""
        for webhook in self._asked(_MUTATING, call, old, new):
            response = await self._response(webhook, call, old, new)
            if response is None:
                continue
            _refuse_denied(webhook, response)
            new = _patched(webhook, response, new)
        return new

    async def validate(self, call: Call, old: Document | None, new: Document | None, warnings: list[str]) -> None:
        """Ask the validating ones; any of them may refuse. Pods are held against the standard of their namespace."""
        if old is None and new is not None:
            self._check_pods(call, new, warnings)
        for webhook in self._asked(_VALIDATING, call, old, new):
            response = await self._response(webhook, call, old, new)
            if response is not None:
                warnings += response.get("warnings") or ()
                _refuse_denied(webhook, response)

    def _check_pods(self, call: Call, new: Document, warnings: list[str]) -> None:
        namespace = self.state.storage.get(("", "namespaces"), "", call.namespace)
        if call.resource.key == ("", "pods"):
            text = pod_security.refusal_of(namespace, pod_security.ENFORCE, new["spec"])
            if text:
                raise Refusal(403, "Forbidden", f'pods "{new["metadata"]["name"]}" is forbidden: {text}')
        elif call.resource.group == "apps":
            spec = new["spec"]["template"]["spec"]
            for label in (pod_security.WARN, pod_security.ENFORCE):
                text = pod_security.refusal_of(namespace, label, spec)
                if text:
                    warnings.append(text.replace("violates", "would violate"))
                    return

    def _asked(
        self, key: tuple[str, str], call: Call, old: Document | None, new: Document | None
    ) -> Iterator[Document]:
        if call.resource.group == _GROUP:
            return
        for configuration in self.state.storage.all(key):
            for webhook in configuration.get("webhooks") or ():
                if any(_matches(rule, call, old, new) for rule in webhook.get("rules") or ()) and (
                    self._selects(webhook, call, old, new)
                ):
                    yield webhook

    def _selects(self, webhook: Document, call: Call, old: Document | None, new: Document | None) -> bool:
        by_object, by_namespace = webhook.get("objectSelector") or {}, webhook.get("namespaceSelector") or {}
        objects = [document for document in (old, new) if document is not None]
        if not any(selects(by_object, document["metadata"].get("labels") or {}) for document in objects):
            return False
        name = call.name if call.resource.key == ("", "namespaces") else call.namespace
        namespace = self.state.storage.get(("", "namespaces"), "", name) if name else None
        return namespace is None or selects(by_namespace, namespace["metadata"].get("labels") or {})

    async def _response(
        self, webhook: Document, call: Call, old: Document | None, new: Document | None
    ) -> Document | None:
        """What the webhook says; nothing if it cannot be reached and that is to be ignored."""
        if call.is_dry_run and webhook.get("sideEffects") not in ("None", "NoneOnDryRun"):
            text = f'admission webhook "{webhook["name"]}" does not support dry run'
            raise Refusal(400, "BadRequest", text)
        review = self._review(webhook, call, old, new)
        try:
            return await self._ask(webhook, review)
        except (_Unreachable, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if webhook.get("failurePolicy") == "Ignore":
                return None
            text = f'failed calling webhook "{webhook["name"]}": failed to call webhook: {error}'
            raise Refusal(500, "InternalError", f"Internal error occurred: {text}") from error

    async def _ask(self, webhook: Document, review: Document) -> Document:
        client = webhook["clientConfig"]
        url, server_name = self._address(client)
        context = ssl.create_default_context(cadata=base64.b64decode(client.get("caBundle") or "").decode() or None)
        timeout = aiohttp.ClientTimeout(total=webhook.get("timeoutSeconds", 10))
        self.calls.append(review["request"])
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                url,
                data=orjson.dumps(review),
                headers={"Content-Type": "application/json"},
                ssl=context,
                server_hostname=server_name,
            ) as answer,
        ):
            if answer.status != 200:
                raise _Unreachable(f"the server responded with status code {answer.status}")
            body = orjson.loads(await answer.read())
        response = body.get("response")
        if not isinstance(response, dict) or response.get("uid") != review["request"]["uid"]:
            raise _Unreachable("expected response.uid to be that of the request")
        if (body.get("kind"), body.get("apiVersion")) != ("AdmissionReview", "admission.k8s.io/v1"):
            raise _Unreachable("expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview")
        return response

    def _address(self, client: Document) -> tuple[str, str | None]:
        if client.get("url"):
            return client["url"], None
        service = client["service"]
        place = (service["namespace"], service["name"])
        if place not in self.addresses:
            found = self.state.storage.get(_SERVICES, *place)
            what = "no endpoints available for service" if found else "service not found:"
            raise _Unreachable(f'{what} "{service["name"]}"')
        return f"{self.addresses[place]}{service.get('path', '/')}", f"{service['name']}.{service['namespace']}.svc"

    def _review(self, webhook: Document, call: Call, old: Document | None, new: Document | None) -> Document:
        resource = call.resource
        version = _sent_version(webhook, call)
        place = {"group": resource.group, "version": version}
        shown = {
            name: _as(document, resource.api_version(version))
            for name, document in (("object", new), ("oldObject", old))
        }
        request = {
            "uid": new_uid(self.state.random),
            "kind": {**place, "kind": resource.kind},
            "resource": {**place, "resource": resource.plural},
            "requestKind": {**place, "version": call.version, "kind": resource.kind},
            "requestResource": {**place, "version": call.version, "resource": resource.plural},
            "name": (new or old or {})["metadata"].get("name", ""),
            "operation": _operation(old, new),
            "userInfo": {"username": call.user, "groups": list(call.groups)},
            "dryRun": call.is_dry_run,
            "options": None,
            **shown,
        }
        if call.namespace:
            request["namespace"] = call.namespace
        if call.subresource:
            request |= {"subResource": call.subresource, "requestSubResource": call.subresource}
        return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def _as(document: Document | None, api_version: str) -> Document | None:
    return None if document is None else {**document, "apiVersion": api_version}


def _operation(old: Document | None, new: Document | None) -> str:
    if new is None:
        return "DELETE"
    return "CREATE" if old is None else "UPDATE"


def _matches(rule: Document, call: Call, old: Document | None, new: Document | None) -> bool:
    resource = call.resource
    scope = rule.get("scope", "*")
    return (
        _has(rule.get("operations"), _operation(old, new))
        and _has(rule.get("apiGroups"), resource.group)
        and any(_has(rule.get("apiVersions"), version) for version in resource.versions)
        and any(_is_of(pattern, call) for pattern in rule.get("resources") or ())
        and scope in ("*", "Namespaced" if resource.is_namespaced else "Cluster")
    )


def _is_of(pattern: str, call: Call) -> bool:
    plural, _, below = pattern.partition("/")
    return plural in ("*", call.resource.plural) and (below == call.subresource or below == "*")


def _has(values: Any, wanted: str) -> bool:
    return "*" in (values or ()) or wanted in (values or ())


def _sent_version(webhook: Document, call: Call) -> str:
    """The version of the request if the rules name it; else one that they name (matchPolicy Equivalent)."""
    named = [version for rule in webhook.get("rules") or () for version in rule.get("apiVersions") or ()]
    if "*" in named or call.version in named:
        return call.version
    return next(version for version in call.resource.versions if version in named)


def selects(selector: Document, labels: dict[str, str]) -> bool:
    """Whether a label selector of an object (not of a query) selects these labels."""
    for name, value in (selector.get("matchLabels") or {}).items():
        if labels.get(name) != value:
            return False
    return all(_meets(item, labels) for item in selector.get("matchExpressions") or ())


def _meets(item: Document, labels: dict[str, str]) -> bool:
    value, values = labels.get(item["key"]), item.get("values") or ()
    return {
        "In": value in values,
        "NotIn": value is None or value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[item["operator"]]


def _refuse_denied(webhook: Document, response: Document) -> None:
    if response.get("allowed"):
        return
    result = response.get("status") or {}
    said = result.get("message") or result.get("reason")
    denied = f'admission webhook "{webhook["name"]}" denied the request'
    code = max(int(result.get("code") or 400), 400)
    text = f"{denied}: {said}" if said else f"{denied} without explanation"
    raise Refusal(code, result.get("reason") or "", text, result.get("details") or {})


def _patched(webhook: Document, response: Document, new: Document) -> Document:
    if not response.get("patch"):
        return new
    try:
        changed: Document = patching.json_patch(new, orjson.loads(base64.b64decode(response["patch"])))
    except (FairleadError, ValueError) as error:
        text = f'Internal error occurred: jsonpatch of webhook "{webhook["name"]}" failed: {error}'
        raise Refusal(500, "InternalError", text) from error
    return changed
