"""Faults, throttling, the log of requests, and who may do what."""

from typing import Any

import aiohttp
import pytest

from support.cluster import Cluster, Fault
from support.cluster.client import Api

pytestmark = pytest.mark.anyio

Document = dict[str, Any]
PATH = "/api/v1/namespaces/default/configmaps"


def config_map(name: str) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [
        (Fault.SERVER_ERROR, 500, "InternalError"),
        (Fault.UNAVAILABLE, 503, "ServiceUnavailable"),
        (Fault.GATEWAY_TIMEOUT, 504, "Timeout"),
        (Fault.CONFLICT, 409, "Conflict"),
        (Fault.THROTTLED, 429, "TooManyRequests"),
    ],
)
async def test_a_fault_is_an_answer_and_nothing_happens(
    cluster: Cluster, api: Api, fault: Fault, code: int, reason: str
) -> None:
    cluster.faults.add(fault, verbs="create", times=1)

    refused = await api.create(PATH, config_map("one"))

    assert (refused.code, refused.body["reason"]) == (code, reason)
    assert cluster.names("ConfigMap") == []
    assert (await api.create(PATH, config_map("one"))).code == 201


async def test_who_is_throttled_learns_for_how_long(cluster: Cluster, api: Api) -> None:
    cluster.faults.add(Fault.THROTTLED)

    refused = await api.get(PATH)

    assert refused.retry_after == "1"
    assert refused.body["details"]["retryAfterSeconds"] == 1


async def test_a_connection_breaks_before_or_after(cluster: Cluster, api: Api) -> None:
    cluster.faults.add(Fault.RESET, times=1)
    cluster.faults.add(Fault.LOST_ANSWER, verbs="create", times=1)

    for name in ("before", "after"):
        with pytest.raises(aiohttp.ClientError):
            await api.create(PATH, config_map(name))

    assert cluster.names("ConfigMap") == ["after"]


async def test_every_nth_request_of_a_kind_fails(cluster: Cluster, api: Api) -> None:
    rule = cluster.faults.add(Fault.UNAVAILABLE, kinds="ConfigMap", every=3)

    codes = [(await api.get(PATH)).code for _ in range(6)]
    other = await api.get("/api/v1/namespaces/default/pods")

    assert codes == [200, 200, 503, 200, 200, 503]
    assert other.code == 200
    assert rule.happened == 2


async def test_requests_are_written_down(cluster: Cluster, api: Api) -> None:
    await api.create(PATH, config_map("one"))
    await api.get(f"{PATH}/two")
    await api.apply(f"{PATH}/one", config_map("one"))

    assert [(entry.verb, entry.name, entry.code) for entry in cluster.journal.of(resource="configmaps")] == [
        ("create", "", 201),
        ("get", "two", 404),
        ("apply", "one", 200),
    ]
    assert cluster.journal.by_verb() == {"create": 1, "get": 1, "apply": 1}


def as_account(cluster: Cluster, api: Api) -> Api:
    token = cluster.access.account("default", "robot")
    cluster.access.is_enforced = True
    return Api(api.url, api.http, {"Authorization": f"Bearer {token}"})


async def allow(cluster: Cluster, *rules: Document, of_cluster: bool = False) -> None:
    """Bind a role with these rules to the account."""
    prefix = "Cluster" if of_cluster else ""
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "robot"}}
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": "default"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": f"{prefix}Role", "name": "robot"}
    await cluster.create({**head, "kind": f"{prefix}Role", "rules": list(rules)})
    await cluster.create({**head, "kind": f"{prefix}RoleBinding", "roleRef": reference, "subjects": [subject]})


async def test_what_no_rule_allows_is_forbidden(cluster: Cluster, api: Api) -> None:
    robot = as_account(cluster, api)

    refused = await robot.get(f"{PATH}/one")
    listed = await robot.get("/apis/apps/v1/deployments")

    assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"] == (
        'configmaps "one" is forbidden: User "system:serviceaccount:default:robot" cannot get resource "configmaps" '
        'in API group "" in the namespace "default"'
    )
    assert listed.body["message"] == (
        'deployments.apps is forbidden: User "system:serviceaccount:default:robot" cannot list resource "deployments" '
        'in API group "apps" at the cluster scope'
    )


async def test_a_rule_allows_what_it_names(cluster: Cluster, api: Api) -> None:
    await allow(cluster, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create"]})
    robot = as_account(cluster, api)

    made = await robot.create(PATH, config_map("one"))
    elsewhere = await robot.get("/api/v1/namespaces/kube-public/configmaps/one")

    assert made.code == 201
    assert (await robot.get(f"{PATH}/one")).code == 200
    assert (await robot.delete(f"{PATH}/one")).code == 403
    assert elsewhere.code == 403


async def test_an_apply_is_a_patch_and_for_what_is_new_a_create_too(cluster: Cluster, api: Api) -> None:
    await allow(cluster, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]})
    await cluster.create(config_map("there"))
    robot = as_account(cluster, api)

    assert (await robot.apply(f"{PATH}/there", config_map("there"))).code == 200
    assert (await robot.apply(f"{PATH}/new", config_map("new"))).code == 403


async def test_a_subresource_has_rules_of_its_own(cluster: Cluster, api: Api) -> None:
    await allow(cluster, {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]}, of_cluster=True)
    robot = as_account(cluster, api)

    refused = await robot.merge("/apis/apps/v1/namespaces/default/deployments/x/status", {"status": {}})

    assert refused.code == 403
    assert 'resource "deployments/status"' in refused.body["message"]


async def test_names_may_be_named(cluster: Cluster, api: Api) -> None:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["one"]}
    await allow(cluster, rule, of_cluster=True)
    robot = as_account(cluster, api)

    assert (await robot.get(f"{PATH}/one")).code == 404
    assert (await robot.get(f"{PATH}/two")).code == 403


async def test_a_token_nobody_gave_is_no_token(cluster: Cluster, api: Api) -> None:
    as_account(cluster, api)

    refused = await Api(api.url, api.http, {"Authorization": "Bearer made-up"}).get(PATH)
    anonymous = await api.get(PATH)

    assert refused.code == 401
    assert 'User "system:anonymous" cannot list' in anonymous.body["message"]


async def test_an_account_may_ask_what_it_may(cluster: Cluster, api: Api) -> None:
    await allow(cluster, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]})
    robot = as_account(cluster, api)

    async def may(verb: str) -> bool:
        wanted = {"verb": verb, "resource": "configmaps", "namespace": "default"}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        answer = await robot.create(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {**review, "spec": {"resourceAttributes": wanted}}
        )
        return bool(answer.body["status"]["allowed"])

    assert await may("get")
    assert not await may("delete")
