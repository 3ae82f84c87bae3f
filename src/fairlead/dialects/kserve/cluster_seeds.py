"""What an installation in a cluster starts with: KServe's settings, its runtimes, and the container that fetches
models.

An installer writes these objects, and a render without a cluster reads them: services refer to them by name.
"""

from collections.abc import Sequence
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve import config
from fairlead.dialects.kserve.cluster_settings import cluster_config, config_map
from fairlead.dialects.kserve.inference_service.cluster.transfers import NAME as INITIALIZER
from fairlead.dialects.kserve.serving_runtime.cluster_seeds import cluster_runtimes
from fairlead.dialects.kserve.storage_container.schema import GROUP, INIT_CONTAINER, KIND, VERSION
from fairlead.dialects.registered import SCHEME

_PREFIXES = ("gs://", "s3://", "hdfs://", "webhdfs://", "hf://", "modelscope://", "oci://", SCHEME)
_PATTERNS = (
    "https://(.+?).blob.core.windows.net/(.+)",
    "https://(.+?).file.core.windows.net/(.+)",
    "https?://(.+)/(.+)",
)


def cluster_seeds(settings: ClusterSettings) -> Sequence[Document]:
    """The objects, complete; those of a namespace are in the operator's."""
    written = config_map(settings.namespace, config.NAME, cluster_config(settings))
    return [written, *cluster_runtimes(settings), _storage_container()]


def _storage_container() -> Document:
    formats: list[dict[str, Any]] = [{"prefix": prefix} for prefix in _PREFIXES]
    formats += [{"regex": pattern} for pattern in _PATTERNS]
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": "default"},
        # What it does not say is as the ConfigMap has it.
        "spec": {
            "container": {"name": INITIALIZER},
            "supportedUriFormats": formats,
            "workloadType": INIT_CONTAINER,
        },
    }
