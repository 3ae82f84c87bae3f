"""The objects of an installation: what a cluster of any version takes, and no more than values ask for."""

from collections.abc import Iterator
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from fairlead.backends.kubernetes.install.cluster import path_of
from fairlead.backends.kubernetes.values import read
from support import object_schemas
from support.installing import installation, listed

EVERYTHING: dict[str, Any] = {
    "operator": {
        "replicas": 3,
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "x", "operator": "Exists"}],
        "podDisruptionBudget": {"enabled": True},
        "priorityClassName": "high",
        "podLabels": {"team": "ml"},
    },
    "image": {"pullSecrets": ["one"]},
    "hostNetwork": True,
    "singleNamespace": True,
    "controllerId": "team",
}


def _objects(values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["kind"], one["metadata"]["name"]): one for one in listed(values).operator}


def _hooks(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for (kind, _), doc in _objects(values).items():
        if kind.endswith("WebhookConfiguration"):
            yield from doc["webhooks"]


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["none", "everything"])
def test_clusters_at_both_ends_of_what_we_support_take_them(values: dict[str, Any]) -> None:
    own = [one for one in listed(values).operator if "WebhookConfiguration" not in one["kind"]]

    assert [text for one in own for text in object_schemas.complaints(one)] == []


@pytest.mark.parametrize("version", ["1.28", "1.36"])
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["none", "everything"])
def test_webhook_configurations_are_right_by_kubernetes_schemas(values: dict[str, Any], version: str) -> None:
    for one in listed(values).operator:
        if "WebhookConfiguration" in one["kind"]:
            kubernetes_validate.validate(one, version, strict=True)


def test_the_operator_runs_confined() -> None:
    pod = _objects({})["Deployment", "fairlead-operator"]["spec"]["template"]["spec"]
    container = pod["containers"][0]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_change_of_values_starts_the_operator_anew() -> None:
    def digest(values: dict[str, Any]) -> str:
        pod = _objects(values)["Deployment", "fairlead-operator"]["spec"]["template"]
        return str(pod["metadata"]["annotations"]["checksum/values"])

    assert digest({}) == digest({})
    assert digest({}) != digest({"istio": {"enabled": True}})


def test_the_operator_reads_the_values_back() -> None:
    values = {"istio": {"enabled": True}, "kserve": {"controller": {"gateway": {"domain": "m.example.com"}}}}
    text = _objects(values)["ConfigMap", "fairlead-values"]["data"]["values.yaml"]

    found = read(text, "values.yaml")

    assert found.warnings == ()
    assert found.settings.routing == installation(values).settings.routing
    assert found.settings.value("kserve.controller.gateway.domain") == "m.example.com"


def test_webhooks_refuse_nothing_by_accident() -> None:
    for hook in _hooks({}):
        assert hook["sideEffects"] == "None"
        assert hook["matchPolicy"] == "Equivalent"
        assert hook["rules"][0]["operations"] == ["CREATE", "UPDATE"]
        assert "/" not in hook["rules"][0]["resources"][0]
        assert {"key": "fairlead.dev/seeded", "operator": "DoesNotExist"} in hook["objectSelector"]["matchExpressions"]


def test_names_of_webhooks_are_upstreams() -> None:
    names = {hook["name"] for hook in _hooks({})}

    expected = {"inferenceservice", "trainedmodel", "inferencegraph", "servingruntime", "clusterservingruntime"}
    assert {"v1.vseldondeployment.kb.io", *(f"{kind}.kserve-webhook-server.validator" for kind in expected)} <= names
    assert "inferenceservice.kserve-webhook-server.defaulter" in names


def test_operators_that_divide_resources_are_asked_about_their_own() -> None:
    def selector(values: dict[str, Any]) -> dict[str, Any]:
        seldon = next(hook for hook in _hooks(values) if hook["name"] == "v1.vseldondeployment.kb.io")
        return next(
            one for one in seldon["objectSelector"]["matchExpressions"] if one["key"] == "seldon.io/controller-id"
        )

    assert selector({})["operator"] == "DoesNotExist"
    assert selector({"controllerId": "a"}) == {"key": "seldon.io/controller-id", "operator": "In", "values": ["a"]}


def test_an_installation_for_one_namespace_is_asked_about_that_one() -> None:
    selectors = [hook.get("namespaceSelector") for hook in _hooks({"singleNamespace": True})]

    assert {"matchLabels": {"kubernetes.io/metadata.name": "fairlead-system"}} in selectors


def test_two_installations_share_no_object() -> None:
    first, second = ({path_of(one) for one in listed(namespace=place).operator} for place in ("a", "b"))

    assert not first & second


def test_cert_manager_has_the_certificate_where_it_is_asked_to() -> None:
    made = _objects({"certManager": {"enabled": True}})

    assert ("Secret", "fairlead-webhook-certificate") not in made
    assert made["Certificate", "fairlead-webhook"]["spec"]["secretName"] == "fairlead-webhook-certificate"
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        annotations = made[kind, "fairlead.fairlead-system"]["metadata"]["annotations"]
        assert annotations == {"cert-manager.io/inject-ca-from": "fairlead-system/fairlead-webhook"}


def test_without_webhooks_nothing_of_theirs_is_there() -> None:
    made = _objects({"webhook": {"enabled": False}})

    assert not [key for key in made if "ebhook" in key[0] or "webhook" in key[1]]
    container = made["Deployment", "fairlead-operator"]["spec"]["template"]["spec"]["containers"][0]
    assert not [word for word in container["args"] if "webhook" in word]


def test_values_decide_about_definitions_and_seeds() -> None:
    made = listed({"crd": {"create": False}, "runtimes": {"create": False}})

    assert made.definitions == ()
    assert made.seeds == ()
