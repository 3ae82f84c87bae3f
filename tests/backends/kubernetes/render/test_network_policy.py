"""Network policies, for those who ask for them."""

from typing import Any

from fairlead.dialects.clusters import ClusterSettings
from support.layouts import on_demand, only, pod, workload, written

PORTS = [{"containerPort": 8000}, {"containerPort": 8000, "name": "metrics"}, {"containerPort": 53, "protocol": "UDP"}]
SERVING = workload(pod=pod({"name": "main", "image": "i", "ports": PORTS}))


def asked(**more: Any) -> ClusterSettings:
    installation = {key: more.pop(key) for key in ("has_knative", "has_own_gateway") if key in more}
    return ClusterSettings(values={"networkPolicy": {"enabled": True, **more}}, **installation)


def test_nobody_gets_one_unasked() -> None:
    assert [one["kind"] for one in written(workloads=(SERVING,)).objects] == ["Deployment"]


def test_pods_answer_on_their_ports_to_the_cluster() -> None:
    found = written(workloads=(SERVING,), settings=asked())

    assert found.objects[0]["kind"] == "NetworkPolicy"
    assert found.objects[0]["spec"] == {
        "podSelector": {"matchLabels": {"app": "iris"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [{"namespaceSelector": {}}],
                "ports": [{"port": 8000, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
            }
        ],
    }


def test_callers_are_those_that_are_listed() -> None:
    callers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}}}]

    found = written(workloads=(SERVING,), settings=asked(**{"from": callers}))

    assert only(found, "NetworkPolicy")["spec"]["ingress"][0]["from"] == callers


def test_ports_of_knatives_proxy_are_its_own_business() -> None:
    found = written(on_demand=(on_demand(),), settings=asked(has_knative=True))

    spec = only(found, "NetworkPolicy")["spec"]
    assert spec["podSelector"] == {"matchLabels": {"serving.knative.dev/service": "iris-predictor"}}
    assert "ports" not in spec["ingress"][0]


def test_pods_behind_our_own_gateway_are_selected_by_its_label() -> None:
    found = written(on_demand=(on_demand(pod=SERVING.pod),), settings=asked(has_own_gateway=True))

    spec = only(found, "NetworkPolicy")["spec"]
    assert spec["podSelector"] == {"matchLabels": {"fairlead.dev/on-demand": "iris-predictor"}}
    assert len(spec["ingress"][0]["ports"]) == 2
