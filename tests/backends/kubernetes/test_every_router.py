"""Every golden manifest in installations of every sort: whatever it becomes, a cluster would take it."""

from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.kubernetes import values
from fairlead.errors import FairleadError
from support import golden, golden_objects
from support.object_schemas import NEWEST, complaints

INSTALLATIONS = {
    "gateway-api": "networkPolicy: {enabled: true}\nkeda: {enabled: true}\n",
    "ambassador": "ambassador: {enabled: true, singleNamespace: true}\nsecurity: {profile: restricted}\n",
    "ingress": "routing: ingress\ningress: {className: nginx}\n",
    "knative": "knative: {enabled: true}\nistio: {enabled: true, tlsMode: ISTIO_MUTUAL}\nsecurity: {profile: none}\n",
    "own-gateway": "ownGateway: {enabled: true}\nnetworkPolicy: {enabled: true}\nrouting: istio\n",
}


def made_by(folder: Path, text: str) -> list[dict[str, Any]]:
    """The objects of a folder's manifest in that installation; none where it is refused there."""
    settings = values.read(text, "values.yaml").settings
    try:
        return golden_objects.objects_of(folder, settings=settings)[0]
    except FairleadError:
        return []


@pytest.mark.slow
@pytest.mark.parametrize("text", INSTALLATIONS.values(), ids=INSTALLATIONS)
def test_whatever_a_manifest_becomes_a_cluster_would_take_it(text: str) -> None:
    folders = sorted(path.parent for path in golden.ROOT.rglob("manifest.yaml"))
    made = {folder: made_by(folder, text) for folder in folders}

    told = [
        f"{folder.relative_to(golden.ROOT)}: {problem}"
        for folder, objects in made.items()
        for one in objects
        for problem in complaints(one, since=NEWEST)
    ]
    assert told == []
    assert sum(map(bool, made.values())) > 100
