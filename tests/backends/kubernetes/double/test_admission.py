"""Admission webhooks over HTTPS, as configurations ask for them."""

import base64
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from support.certificates import make_certificate
from support.cluster import Cluster
from support.cluster.client import Api

pytestmark = pytest.mark.anyio

Document = dict[str, Any]
PATH = "/api/v1/namespaces/default/configmaps"
HOST = "hook.default.svc"


@dataclass
class Hook:
    """A webhook that answers what a test wants, and remembers what it was asked."""

    authority: str
    port: int = 0
    answer: Document = field(default_factory=lambda: {"allowed": True})
    asked: list[Document] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        review = json.loads(await request.read())
        self.asked.append(review["request"])
        head = {"apiVersion": review["apiVersion"], "kind": review["kind"]}
        return web.json_response({**head, "response": {"uid": review["request"]["uid"], **self.answer}})


@pytest.fixture
async def hook(tmp_path: Path, cluster: Cluster) -> AsyncIterator[Hook]:
    certificate, key = make_certificate(tmp_path, f"DNS:{HOST}")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    hook = Hook(base64.b64encode(certificate.read_bytes()).decode())
    runner = web.ServerRunner(web.Server(hook.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    hook.port = runner.addresses[0][1]
    cluster.webhooks.addresses[("default", "hook")] = f"https://127.0.0.1:{hook.port}"
    yield hook
    await runner.cleanup()


def configuration(hook: Hook, kind: str = "Validating", **fields: Any) -> Document:
    service = {"name": "hook", "namespace": "default", "path": "/check"}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
    webhook = {
        "name": "hook.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"service": service, "caBundle": hook.authority},
        "rules": [rule],
        **fields,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": "hook"},
        "webhooks": [webhook],
    }


def config_map(name: str = "one", **metadata: Any) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


async def test_a_webhook_is_asked_about_what_it_names(cluster: Cluster, api: Api, hook: Hook) -> None:
    await cluster.create(configuration(hook))

    assert (await api.create(PATH, config_map())).code == 201
    assert (await api.merge(f"{PATH}/one", {"data": {"a": "b"}})).code == 200
    assert (await api.delete(f"{PATH}/one")).code == 200

    first, second = hook.asked
    assert (first["operation"], first["name"], first["namespace"]) == ("CREATE", "one", "default")
    assert first["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert first["oldObject"] is None
    assert second["operation"] == "UPDATE"
    assert second["object"]["data"] == {"a": "b"}
    assert "data" not in second["oldObject"]


async def test_a_webhook_refuses(cluster: Cluster, api: Api, hook: Hook) -> None:
    await cluster.create(configuration(hook))
    hook.answer = {"allowed": False, "status": {"message": "not today", "code": 403, "reason": "Forbidden"}}

    refused = await api.create(PATH, config_map())

    assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"] == 'admission webhook "hook.example.com" denied the request: not today'
    assert cluster.names("ConfigMap") == []


async def test_a_refusal_without_a_code_is_a_bad_request(cluster: Cluster, api: Api, hook: Hook) -> None:
    await cluster.create(configuration(hook))
    hook.answer = {"allowed": False}

    refused = await api.create(PATH, config_map())

    assert refused.code == 400
    assert refused.body["message"] == 'admission webhook "hook.example.com" denied the request without explanation'


async def test_a_webhook_changes_what_is_stored(cluster: Cluster, api: Api, hook: Hook) -> None:
    await cluster.create(configuration(hook, "Mutating"))
    patch = base64.b64encode(json.dumps([{"op": "add", "path": "/data", "value": {"a": "b"}}]).encode()).decode()
    hook.answer = {"allowed": True, "patchType": "JSONPatch", "patch": patch}

    await api.create(PATH, config_map())

    assert cluster.get("ConfigMap", "one")["data"] == {"a": "b"}


async def test_a_webhook_warns(cluster: Cluster, api: Api, hook: Hook) -> None:
    await cluster.create(configuration(hook))
    hook.answer = {"allowed": True, "warnings": ["this is old"]}

    made = await api.create(PATH, config_map())

    assert made.warnings == ('299 - "this is old"',)


async def test_a_webhook_that_is_not_there_refuses_or_is_ignored(cluster: Cluster, api: Api, hook: Hook) -> None:
    cluster.webhooks.addresses.clear()
    await cluster.create(configuration(hook))
    refused = await api.create(PATH, config_map())

    await cluster.replace(configuration(hook, failurePolicy="Ignore"))
    made = await api.create(PATH, config_map())

    assert refused.code == 500
    assert refused.body["message"].startswith(
        'Internal error occurred: failed calling webhook "hook.example.com": failed to call webhook: '
    )
    assert made.code == 201


async def test_a_webhook_must_be_who_it_says(cluster: Cluster, api: Api, hook: Hook, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate, _ = make_certificate(tmp_path / "other", f"DNS:{HOST}")
    stranger = Hook(base64.b64encode(certificate.read_bytes()).decode())
    await cluster.create(configuration(stranger))

    refused = await api.create(PATH, config_map())

    assert refused.code == 500
    assert hook.asked == []


async def test_only_what_is_selected_is_asked_about(cluster: Cluster, api: Api, hook: Hook) -> None:
    selector = {"matchExpressions": [{"key": "ask", "operator": "Exists"}]}
    await cluster.create(configuration(hook, objectSelector=selector))
    await api.create(PATH, config_map("silent"))
    await api.create(PATH, config_map("asked", labels={"ask": "me"}))

    elsewhere = {"matchLabels": {"kubernetes.io/metadata.name": "kube-public"}}
    await cluster.replace(configuration(hook, namespaceSelector=elsewhere))
    await api.create(PATH, config_map("here"))

    assert [request["name"] for request in hook.asked] == ["asked"]


async def test_a_dry_run_asks_only_those_without_side_effects(cluster: Cluster, api: Api, hook: Hook) -> None:
    await cluster.create(configuration(hook))

    tried = await api.create(PATH, config_map(), dryRun="All")

    assert tried.code == 201
    assert hook.asked[0]["dryRun"] is True
