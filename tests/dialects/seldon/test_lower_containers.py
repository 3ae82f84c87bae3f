from typing import Any

import pytest

from fairlead.errors import InvalidManifest
from fairlead.plan.model import Mount
from support.sdep import lower, one

IMAGE = "acme/m:1"


def mounts(
    container_mounts: list[dict[str, Any]], volumes: list[dict[str, Any]], model_uri: str = "", **pod: Any
) -> tuple[Mount, ...]:
    doc = one(
        {"name": "m", "image": IMAGE, "volumeMounts": container_mounts},
        {"name": "m", "type": "MODEL", "modelUri": model_uri},
        volumes=volumes,
        **pod,
    )
    unit = lower(doc).components[0].revision.units[0]
    assert unit.container is not None
    return unit.container.mounts


def test_volumes_of_every_kind_are_mounted() -> None:
    volumes: list[dict[str, Any]] = [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "secret": {"secretName": "s"}},
        {"name": "c", "configMap": {"name": "c"}},
        {"name": "d", "persistentVolumeClaim": {"claimName": "p"}},
    ]
    where = [{"name": volume["name"], "mountPath": f"/{volume['name']}", "readOnly": True} for volume in volumes]

    assert mounts(where, volumes) == (
        Mount(path="/a", source="scratch", read_only=True),
        Mount(path="/b", source="secret:s", read_only=True),
        Mount(path="/c", source="config:c", read_only=True),
        Mount(path="/d", source="claim:p", read_only=True),
    )


def test_a_model_is_mounted_where_it_is_expected() -> None:
    assert mounts([], [], "gs://models/m") == (Mount(path="/mnt/models", source="artifact", read_only=True),)


def test_a_fetched_model_lies_below_where_its_volume_is_mounted() -> None:
    download = {
        "name": "get",
        "image": "seldonio/rclone-storage-initializer:1",
        "args": ["gs://models/m", "/out/iris"],
        "volumeMounts": [{"name": "v", "mountPath": "/out"}],
    }

    found = mounts([{"name": "v", "mountPath": "/models"}], [{"name": "v", "emptyDir": {}}], initContainers=[download])

    assert found == (Mount(path="/models/iris", source="artifact"),)


def test_the_annotations_of_a_pod_are_not_mounted() -> None:
    assert mounts([{"name": "podinfo", "mountPath": "/etc/podinfo"}], []) == ()


def test_a_mount_of_no_volume_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidManifest, match=r"containers\[0\]\.volumeMounts\[0\]: there is no volume named gone"):
        mounts([{"name": "gone", "mountPath": "/x"}], [])


def test_a_volume_of_another_kind_is_left_out_with_a_warning() -> None:
    container = {"name": "m", "image": IMAGE, "volumeMounts": [{"name": "h", "mountPath": "/h"}]}

    plan = lower(one(container, volumes=[{"name": "h", "hostPath": {"path": "/"}}]))

    assert "volume h is left out; volumes here are emptyDir, secret, configMap" in plan.warnings[0]
