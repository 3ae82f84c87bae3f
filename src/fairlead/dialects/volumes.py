"""Volumes of a pod by the names that mounts of a plan have for them."""

from fairlead.dialects.podspec import Volume

VOLUME_KINDS = "emptyDir, secret, configMap and persistentVolumeClaim"


def volume_source(volume: Volume) -> str | None:
    """What a mount of this volume shows; `None` for the kinds that only a cluster has."""
    if volume.empty_dir is not None:
        return "scratch"
    if volume.secret is not None:
        return f"secret:{volume.secret.secret_name}"
    if volume.config_map is not None:
        return f"config:{volume.config_map.name}"
    if volume.persistent_volume_claim is not None:
        return f"claim:{volume.persistent_volume_claim.claim_name}"
    return None
