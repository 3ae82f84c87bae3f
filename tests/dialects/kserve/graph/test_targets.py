"""Where a step asks an InferenceService whose manifest leaves it open."""

from dataclasses import replace
from typing import Any

import pytest

from fairlead.dialects.kserve.graph.targets import service_url
from fairlead.plan.model import Call, Component, ComponentName, Graph, Method, Owner, Plan, Protocol, Revision, UnitName
from support.stored_docs import DocumentWorld

SERVICE: dict[str, Any] = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "m", "namespace": "ns"},
    "spec": {"predictor": {"model": {"modelFormat": {"name": "mlflow"}, "storageUri": "gs://x"}}},
}


def plan(protocol: Protocol, *also: Protocol, role: str = "predictor") -> Plan:
    call = Call(unit=UnitName("m"), method=Method.PREDICT)
    revision = Revision(hash="h", units=(), graph=Graph(root=call), protocol=protocol, also=also)
    component = Component(name=ComponentName("predictor"), full_name="m-predictor", revision=revision, role=role)
    owner = Owner(api_version="v1beta1", kind="InferenceService", namespace="ns", name="m")
    return Plan(owner=owner, components=(component,), routes=())


@pytest.mark.parametrize(
    ("plans", "path"),
    [
        ([], "/v1/models/m:predict"),
        ([plan(Protocol.V1, Protocol.V2)], "/v1/models/m:predict"),
        ([plan(Protocol.V2, Protocol.V1)], "/v1/models/m:predict"),
        ([plan(Protocol.V2)], "/v2/models/m/infer"),
        ([plan(Protocol.V2, role="explainer")], "/v1/models/m:predict"),
    ],
)
def test_what_runs_decides_the_protocol_that_the_manifest_leaves_open(plans: list[Plan], path: str) -> None:
    assert service_url("m", "ns", DocumentWorld([SERVICE], plans)) == f"http://m.ns.svc.cluster.local{path}"


def test_what_the_manifest_says_counts_before_what_runs() -> None:
    model = {**SERVICE["spec"]["predictor"]["model"], "protocolVersion": "v1"}
    doc = {**SERVICE, "spec": {"predictor": {"model": model}}}
    running = replace(plan(Protocol.V2))

    assert service_url("m", "ns", DocumentWorld([doc], [running])).endswith("/v1/models/m:predict")
