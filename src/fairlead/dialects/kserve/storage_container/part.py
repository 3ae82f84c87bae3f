"""The kind ClusterStorageContainer: stored, for predictors that name one."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from fairlead.dialects.base import Document, Kind, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve.part import Part
from fairlead.dialects.kserve.problems import problem, refuse
from fairlead.dialects.kserve.storage_container.schema import (
    GROUP,
    KIND,
    VERSION,
    ClusterStorageContainer,
    StorageContainerSpec,
)
from fairlead.dialects.openapi import resource_schema
from fairlead.dialects.reading import Identity, read_as

_IDENTITY = Identity(GROUP, (VERSION,), KIND)
_PREFIXES = ("gs://", "s3://", "hdfs://", "hf://", "modelscope://", "webhdfs://", "fairlead://")
_REGEXES = (
    r"https://(.+?).blob.core.windows.net/(.+)",
    r"https://(.+?).file.core.windows.net/(.+)",
    r"https?://(.+)/(.+)",
)


class StorageContainerPart(Part):
    """ClusterStorageContainers."""

    kind = Kind(
        group=GROUP,
        versions=(VERSION,),
        kind=KIND,
        plural="clusterstoragecontainers",
        singular="clusterstoragecontainer",
        is_namespaced=False,
        has_status=False,
        is_refused_plainly=True,
        is_planned=False,
    )

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return _schema()

    def seeds(self) -> Sequence[Document]:
        """The container of an installation."""
        formats = [{"prefix": text} for text in _PREFIXES] + [{"regex": text} for text in _REGEXES]
        container = {"name": "storage-initializer", "image": "kserve/storage-initializer:latest"}
        spec = {"container": container, "supportedUriFormats": formats, "workloadType": "initContainer"}
        identity = {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": {"name": "default"}}
        return [{**identity, "spec": spec}]

    def validate(self, doc: Document, old: Document | None, catalog: Catalog, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest` for what is of the wrong type, and for patterns that are none."""
        container = read_as(ClusterStorageContainer, doc, _IDENTITY)
        problems = []
        for index, one in enumerate(container.spec.supported_uri_formats):
            try:
                re.compile(one.regex)
            except re.error as error:
                path = f"spec.supportedUriFormats[{index}].regex"
                problems.append(problem(path, f"{one.regex!r} is not a regular expression: {error}"))
        refuse(problems)


@cache
def _schema() -> dict[str, Any]:
    disabled = {"type": "boolean", "description": "Whether it is not to be used."}
    return resource_schema(StorageContainerSpec, description="Who fetches which models.", beside={"disabled": disabled})
