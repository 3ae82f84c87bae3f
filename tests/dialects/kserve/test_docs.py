"""docs/kserve-manifest.md names every field of the schemas, every annotation and every text that refuses a manifest."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from fairlead.dialects import inline_pods, podspec
from fairlead.dialects.kserve import annotations, config
from fairlead.dialects.kserve.caches import schema as caches
from fairlead.dialects.kserve.inference_service import crd
from fairlead.dialects.kserve.inference_service import schema as services
from fairlead.dialects.kserve.serving_runtime import schema as runtimes
from fairlead.dialects.kserve.storage_container import schema as containers
from fairlead.dialects.kserve.trained_model import schema as models
from support.golden import folders

SOURCES = Path(annotations.__file__).parent
PAGE = (Path(__file__).parents[3] / "docs" / "kserve-manifest.md").read_text()
PREDICTOR = "spec.predictor"
METRIC = f"{PREDICTOR}.autoScaling.metrics[]"
RUNTIME = "ServingRuntime.spec"
SECTIONS: dict[str, type[BaseModel]] = {
    "spec": services.InferenceServiceSpec,
    PREDICTOR: services.Predictor,
    f"{PREDICTOR}.model": services.Model,
    f"{PREDICTOR}.model.modelFormat": services.ModelFormat,
    f"{PREDICTOR}.storageUris[]": services.StorageUri,
    f"{PREDICTOR}.workerSpec": services.WorkerSpec,
    "Fields of a server": services.PredictorExtension,
    f"{PREDICTOR}.model.storage": services.StorageSpec,
    f"{PREDICTOR}.model.confidential": services.Confidential,
    "spec.transformer": services.Transformer,
    "spec.explainer": services.Explainer,
    "spec.explainer.art": services.ArtExplainer,
    "spec.canary[]": services.Canary,
    "Fields of every component": services.ComponentExtension,
    f"{PREDICTOR}.logger": services.Logger,
    f"{PREDICTOR}.logger.storage": services.LoggerStorage,
    f"{PREDICTOR}.batcher": services.Batcher,
    f"{PREDICTOR}.autoScaling": services.AutoScaling,
    METRIC: services.Metric,
    f"{METRIC}.resource": services.ResourceMetric,
    f"{METRIC}.external": services.ExternalMetric,
    f"{METRIC}.external.metric": services.ExternalMetricSource,
    f"{METRIC}.external.authenticationRef": services.AuthenticationRef,
    f"{METRIC}.external.authenticationRef.authenticationRef": services.AuthenticationName,
    f"{METRIC}.podmetric": services.PodMetric,
    f"{METRIC}.podmetric.metric": services.PodMetricSource,
    f"{METRIC}.external.target": services.MetricTarget,
    "Fields of a pod": inline_pods.InlinePod,
    "Fields of a container": inline_pods.InlineContainer,
    RUNTIME: runtimes.ServingRuntimeSpec,
    f"{RUNTIME}.supportedModelFormats[]": runtimes.SupportedFormat,
    f"{RUNTIME}.workerSpec": runtimes.RuntimeWorker,
    f"{RUNTIME}.storageHelper": runtimes.StorageHelper,
    f"{RUNTIME}.builtInAdapter": runtimes.BuiltInAdapter,
    "TrainedModel.spec": models.TrainedModelSpec,
    "TrainedModel.spec.model": models.HostedModelSpec,
    "LocalModelCache.spec": caches.LocalModelCacheSpec,
    "LocalModelCache.spec.storage": caches.CacheStorage,
    "LocalModelNodeGroup.spec": caches.NodeGroupSpec,
    "LocalModelNode.spec": caches.NodeSpec,
    "LocalModelNode.spec.localModels[]": caches.NodeModel,
    "ClusterStorageContainer.spec": containers.StorageContainerSpec,
    "ClusterStorageContainer.spec.supportedUriFormats[]": containers.UriFormat,
}
SHARED = (
    services.ComponentExtension,
    services.PredictorExtension,
    inline_pods.InlinePod,
    inline_pods.InlineContainer,
)
"""What has a section of its own wherever it is inlined."""
WHOLE = {
    services.InferenceService,
    runtimes.ServingRuntime,
    runtimes.RuntimeMeta,
    runtimes.RuntimePod,
    models.TrainedModel,
    caches.LocalModelCache,
    caches.NodeGroup,
    caches.Node,
    containers.ClusterStorageContainer,
}
FROM_ELSEWHERE = {
    value for module in (podspec, inline_pods) for value in vars(module).values() if isinstance(value, type)
}


def section(heading: str) -> str:
    """The text under a heading."""
    match = re.search(rf"^#+ `?{re.escape(heading)}`?\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, f"the page has no section {heading}"
    return match[1]


def rows(heading: str) -> set[str]:
    """The first cells of the table under a heading."""
    return set(re.findall(r"^\| `([^`]+)` \|", section(heading), re.MULTILINE))


def own_fields(model: type[BaseModel]) -> set[str]:
    """The fields of a model, without those that its shared bases bring along."""
    inherited = {name for base in SHARED if base is not model and issubclass(model, base) for name in base.model_fields}
    return {info.alias or name for name, info in model.model_fields.items() if name not in inherited}


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_page_has_a_row_for_every_field_and_no_other(heading: str) -> None:
    assert rows(heading) == own_fields(SECTIONS[heading])


def test_every_model_of_the_schemas_has_a_section() -> None:
    modules = (services, runtimes, models, caches, containers)
    written = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    of_ours = {value for value in written if issubclass(value, BaseModel)} - WHOLE

    assert {value for value in of_ours if value not in FROM_ELSEWHERE} <= set(SECTIONS.values())


def test_the_page_has_a_row_for_every_field_of_the_status() -> None:
    assert rows("status") == set(crd.open_api()["properties"]["status"]["properties"])


def test_the_page_names_every_annotation_that_is_read() -> None:
    ours = r"(?:serving|storage|prometheus)\.kserve\.io|fairlead\.dev|serving\.knative[a-z.]*"
    own = rf'"((?:{ours})/[A-Za-z-]+)"'
    sources = [path for path in SOURCES.rglob("*.py") if "graph" not in path.parts]
    read = {found for path in sources for found in re.findall(own, path.read_text())}
    written_by_us = {
        "serving.knative.dev/configuration",
        "serving.knative.dev/configurationGeneration",
        "serving.knative.dev/revision",
        "serving.knative.dev/service",
        "serving.kserve.io/inferenceservice",
    }
    domain = annotations.DOMAIN
    of_knative = {text for name, text in vars(annotations).items() if name.isupper() and str(text).startswith(domain)}

    wanted = (read - written_by_us) | (of_knative - {domain})
    assert {name for name in wanted if f"`{name}`" not in PAGE} == set()


def test_the_page_names_every_part_of_the_settings() -> None:
    keys = {info.alias or name for name, info in config.InferenceServiceConfig.model_fields.items()}

    assert {key for key in keys if f"`{key}`" not in section("Settings")} == set()


@pytest.mark.parametrize("folder", folders("kserve/validation"), ids=lambda folder: folder.name)
def test_the_page_has_every_text_that_refuses_a_manifest(folder: Path) -> None:
    refused = PAGE.partition("## What is refused")[2]
    texts = re.findall(r"^\| `(.+)` \|$", refused, re.MULTILINE)
    patterns = [re.compile(".+".join(re.escape(part) for part in text.split("…"))) for text in texts]
    message = (folder / "refusal.txt").read_text().partition("\n\n")[0]

    single = [message] if not message.startswith("['") else message.strip("[]").split(", ")
    assert all(any(pattern.fullmatch(text) for pattern in patterns) for text in single), message
