"""An installed operator with the rights of its own account and no others: what it is asked, it may do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.kubernetes.install.seeding import Seeder
from fairlead.backends.kubernetes.operator import Operator, find_config
from fairlead.backends.kubernetes.operator.leading import Terms
from fairlead.backends.kubernetes.webhooks.serving import Webhooks
from fairlead.cli.operator import followed
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve.cluster_seeds import cluster_seeds
from support.cluster import Cluster, Refusal, running_cluster
from support.installing import installation, installer, listed
from support.operators import options, sdep, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
PLACE = "fairlead-system"
LEGACY: dict[str, Any] = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "wine", "namespace": "default"},
    "spec": {"predictor": {"sklearn": {"storageUri": "gs://models/wine"}}},
}


@asynccontextmanager
async def _installed(folder: Path, values: dict[str, Any]) -> AsyncIterator[tuple[Cluster, Operator]]:
    """A cluster with an operator that was installed into it and runs as its account."""
    made = installation(values)
    async with running_cluster() as cluster:
        async with installer(cluster) as (work, _):
            await work.install(listed(values, is_whole=True), timeout_s=60)
        token = cluster.access.account(PLACE, made.account)
        cluster.access.is_enforced = True
        async with _running(cluster, folder, token, made.settings) as operator:
            yield cluster, operator


@asynccontextmanager
async def _running(cluster: Cluster, folder: Path, token: str, settings: Any) -> AsyncIterator[Operator]:
    kinds = followed(settings)
    webhooks = Webhooks(catalog=Catalog(), host="127.0.0.1", port=0)
    seeder = Seeder(cluster_seeds(settings))
    namespaces = (settings.namespace,) if settings.value("singleNamespace") else ()
    chosen = options(
        settings=settings, elects=True, terms=Terms(), lease_namespace=settings.namespace, namespaces=namespaces
    )
    config = find_config(cluster.write_kubeconfig(folder, token=token))
    operator = Operator(config, kinds, chosen, Catalog(), [webhooks, seeder])
    stop = asyncio.Event()
    running = asyncio.create_task(operator.run(stop))
    try:
        await until(lambda: running.done() or (webhooks.is_serving() and seeder.is_done()))
        assert not running.done(), running.exception()
        cluster.webhooks.addresses[PLACE, "fairlead-webhook"] = f"https://127.0.0.1:{webhooks.port}"
        yield operator
    finally:
        stop.set()
        await running


def _refused(cluster: Cluster) -> list[str]:
    """Calls that the operator was not allowed."""
    return [str(call) for call in cluster.journal.entries if call.code == 403]


async def test_manifests_are_checked_filled_in_and_made_with_the_operators_own_rights(tmp_path: Path) -> None:
    async with _installed(tmp_path, {}) as (cluster, _):
        with pytest.raises(Refusal, match=r'"v1\.vseldondeployment\.kb\.io" denied the request.*Invalid protocol'):
            await cluster.create({**sdep(), "spec": {**sdep()["spec"], "protocol": "soap"}})

        await cluster.create(sdep())
        await cluster.create(LEGACY)
        await until(lambda: cluster.find("Deployment", "iris-default-0-classifier"))
        await until(lambda: cluster.find("Deployment", "wine-predictor"))

        stored = cluster.get("InferenceService", "wine")
        assert stored["spec"]["predictor"]["model"]["modelFormat"] == {"name": "sklearn"}
        assert stored["metadata"]["annotations"]["modelFormat"] == "sklearn"
        await until(lambda: (cluster.get("SeldonDeployment", "iris").get("status") or {}).get("state"))
        assert cluster.objects("events", "default")
        assert "kserve-sklearnserver" in cluster.names("ClusterServingRuntime")
        assert cluster.find("ConfigMap", "inferenceservice-config", PLACE)
        assert _refused(cluster) == []


async def test_an_operator_of_one_namespace_needs_no_rights_over_others(tmp_path: Path) -> None:
    async with _installed(tmp_path, {"singleNamespace": True}) as (cluster, _):
        await cluster.create(sdep("far"))
        await cluster.create(sdep("near", namespace=PLACE))
        await until(lambda: cluster.find("Deployment", "near-default-0-classifier", PLACE))

        with pytest.raises(Refusal, match="Invalid protocol"):
            await cluster.create(
                {**sdep("x", namespace=PLACE), "spec": {**sdep()["spec"], "protocol": "soap"}},
            )

        assert cluster.names("Deployment", "default") == []
        assert {entry.namespace for entry in cluster.journal.entries if entry.verb == "apply"} <= {PLACE, ""}


async def test_without_webhooks_the_operator_refuses_in_the_status_what_they_would_have(tmp_path: Path) -> None:
    async with _installed(tmp_path, {"webhook": {"failurePolicy": "Ignore"}}) as (cluster, _):
        cluster.webhooks.addresses.clear()

        await cluster.create({**sdep(), "spec": {**sdep()["spec"], "protocol": "soap"}})
        await cluster.create(LEGACY)

        await until(lambda: (cluster.get("SeldonDeployment", "iris").get("status") or {}).get("state") == "Failed")
        assert "Invalid protocol" in cluster.get("SeldonDeployment", "iris")["status"]["description"]
        await until(lambda: cluster.find("Deployment", "wine-predictor"))


async def test_a_runtime_that_somebody_made_stays_theirs(tmp_path: Path) -> None:
    made = installation()
    theirs = next(dict(seed) for seed in listed().seeds if seed["metadata"]["name"] == "kserve-sklearnserver")
    spec = {**theirs["spec"], "containers": [{"name": "kserve-container", "image": "mine:1"}]}
    async with running_cluster() as cluster:
        definitions = [one for one in listed().definitions if one["spec"]["names"]["kind"] == "ClusterServingRuntime"]
        await cluster.install(definitions)
        await cluster.create({**theirs, "spec": spec})
        async with installer(cluster) as (work, _):
            await work.install(listed(is_whole=True), timeout_s=60)
        token = cluster.access.account(PLACE, made.account)
        cluster.access.is_enforced = True

        async with _running(cluster, tmp_path, token, made.settings):
            runtime = cluster.get("ClusterServingRuntime", "kserve-sklearnserver", "")

        assert runtime["spec"]["containers"][0]["image"] == "mine:1"
        assert len(cluster.names("ClusterServingRuntime")) > 5
