"""Every object of the golden folders is taken by an API server as it is, and taken again it changes nothing."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from support.cluster import Cluster
from support.cluster.pod_security import violations
from support.cluster_definitions import free_definition

pytestmark = pytest.mark.anyio

Document = dict[str, Any]
_GOLDEN = Path(__file__).parents[3] / "golden"
_FILES = sorted(_GOLDEN.glob("*/*/kubernetes.yaml"))


async def _prepared(cluster: Cluster, documents: list[Document]) -> None:
    """Namespaces, and definitions of the kinds that others bring."""
    for name in {document["metadata"].get("namespace", "default") for document in documents}:
        if cluster.find("Namespace", name) is None:
            await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for document in documents:
        if cluster.state.kinds.of_kind(document["apiVersion"], document["kind"]) is None:
            group, _, version = document["apiVersion"].rpartition("/")
            await cluster.create(free_definition(group, document["kind"], version=version))


@pytest.mark.parametrize("path", _FILES, ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}")
async def test_what_is_rendered_is_accepted_and_stays(cluster: Cluster, path: Path) -> None:
    documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
    await _prepared(cluster, documents)

    for document in documents:
        await cluster.apply(document, manager="fairlead")
    revision = cluster.state.storage.revision
    for document in documents:
        await cluster.apply(document, manager="fairlead")

    assert cluster.state.storage.revision == revision


def test_containers_of_our_own_image_run_in_a_restricted_namespace() -> None:
    """As they are rendered by default: users' images and users' own security contexts are theirs."""
    path = _GOLDEN / "seldon" / "single" / "kubernetes.yaml"
    deployments = [item for item in yaml.safe_load_all(path.read_text()) if item["kind"] == "Deployment"]

    assert [found for item in deployments for found in violations(item["spec"]["template"]["spec"])] == []
