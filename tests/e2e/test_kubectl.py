"""The real kubectl against a whole installation: the tour that a cluster's user takes."""

from pathlib import Path

import pytest

from support.instance import Installation, until
from support.kubectl import Kubectl

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

MANIFEST = """
apiVersion: v1
kind: Namespace
metadata:
  name: tour
---
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata:
  name: iris
  namespace: tour
spec:
  predictors:
  - name: default
    graph:
      name: classifier
      implementation: SKLEARN_SERVER
      modelUri: {uri}
"""


async def test_the_tour_of_a_cluster_user(shared: Installation, iris: Path, tmp_path: Path) -> None:
    kubectl = Kubectl(kubeconfig=shared.home / "kubeconfig", cache=tmp_path)

    applied = await kubectl.run("apply", "-f", "-", stdin=MANIFEST.format(uri=iris))
    assert "seldondeployment.machinelearning.seldon.io/iris created" in applied
    await kubectl.run("-n", "tour", "wait", "--for=condition=Ready", "--timeout=60s", "sdep/iris")

    listed = await kubectl.run("-n", "tour", "get", "sdep")
    assert "Available" in listed
    pods = (await kubectl.json("-n", "tour", "get", "pods"))["items"]
    assert len(pods) == 1
    name = pods[0]["metadata"]["name"]
    assert "classifier" in await kubectl.run("-n", "tour", "logs", name)
    described = await kubectl.run("-n", "tour", "describe", "sdep", "iris")
    assert "Ready" in described
    assert "Events:" in described

    await kubectl.run("-n", "tour", "scale", "sdep/iris", "--replicas=2")
    until(lambda: len(shared.pods("iris", namespace="tour")) == 2, what="the second replica")
    await kubectl.run("-n", "tour", "annotate", "sdep", "iris", "team=forecast")
    await kubectl.run("-n", "tour", "delete", "sdep", "iris")
    until(lambda: shared.pods("iris", namespace="tour") == [], what="the end of the replicas")
    assert "NotFound" in await kubectl.run("-n", "tour", "get", "sdep", "iris", expect=1)


async def test_a_refusal_reads_as_the_webhooks(shared: Installation, tmp_path: Path) -> None:
    kubectl = Kubectl(kubeconfig=shared.home / "kubeconfig", cache=tmp_path)
    manifest = MANIFEST.format(uri="").replace("namespace: tour", "namespace: default")

    refused = await kubectl.run("apply", "-f", "-", stdin=manifest.split("---")[1], expect=1)

    message = 'Invalid value: "classifier": Predictive unit modelUri required when using standalone servers'
    assert f'The SeldonDeployment "iris" is invalid: spec.predictors[0].graph: {message}' in refused
