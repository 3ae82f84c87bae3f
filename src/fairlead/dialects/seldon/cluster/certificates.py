"""TLS of a predictor: its certificate's Secret in the pod that has the root of the graph, and where to look for it."""

from fairlead.dialects.seldon.cluster.raw import Json, add_missing, env

VOLUME, FOLDER, VARIABLE = "seldon-cert-volume", "/cert/", "SELDON_CERT_MOUNT_PATH"


def add_certificate(spec: Json, secret: str) -> None:
    """Mount the certificate in every container of a pod."""
    add_missing(spec, "volumes", [{"name": VOLUME, "secret": {"secretName": secret}}])
    for container in spec["containers"]:
        mount = {"name": VOLUME, "mountPath": FOLDER, "readOnly": True}
        add_missing(container, "volumeMounts", [mount], key="mountPath")
        add_missing(container, "env", env({VARIABLE: FOLDER}))
