"""docs/bento-manifest.md names every field of the schemas in every version, every annotation, and no other field."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from fairlead.dialects import inline_pods, podspec
from fairlead.dialects.bento import schema as shared
from fairlead.dialects.bento.bento import schema as bentos
from fairlead.dialects.bento.deployment import annotations, old_schemas
from fairlead.dialects.bento.deployment import schema as deployments
from fairlead.dialects.bento.request import schema as requests

SOURCES = Path(shared.__file__).parent
PAGE = (Path(__file__).parents[3] / "docs" / "bento-manifest.md").read_text()
SPEC = "BentoDeployment.spec"
SECTIONS: dict[str, type[BaseModel]] = {
    "BentoRequest.spec": requests.BentoRequestSpec,
    "BentoRequest.spec.context": shared.BentoContext,
    "BentoRequest.spec.runners[]": shared.BentoRunner,
    "BentoRequest.spec.models[]": shared.BentoModel,
    "BentoRequest.spec.manifest": shared.BentoManifest,
    "Bento.spec": bentos.BentoSpec,
    "Bento.spec.imagePullSecrets[]": bentos.SecretName,
    SPEC: deployments.BentoDeploymentSpec,
    f"{SPEC}.resources": deployments.Resources,
    f"{SPEC}.resources.requests": deployments.ResourceItem,
    f"{SPEC}.autoscaling": deployments.Autoscaling,
    f"{SPEC}.runners[]": deployments.RunnerSpec,
    f"{SPEC}.ingress": deployments.Ingress,
    f"{SPEC}.ingress.tls": deployments.IngressTls,
    f"{SPEC}.monitorExporter": deployments.MonitorExporter,
    f"{SPEC}.monitorExporter.mounts[]": deployments.MonitorMount,
    "PodMetadata": shared.PodMetadata,
    "v1alpha1.spec": old_schemas.V1Alpha1Spec,
    "v1alpha1.spec.runners[]": old_schemas.FirstRunner,
    "v1alpha1.spec.runners[].autoscaling": old_schemas.FirstAutoscaling,
    "v1alpha2.spec": old_schemas.V1Alpha2Spec,
    "v1alpha2.spec.autoscaling": old_schemas.OldAutoscaling,
    "v1alpha2.spec.envs[]": old_schemas.OldEnv,
    "v1alpha2.spec.runners[]": old_schemas.OldRunner,
    "v1alpha2.spec.ingress": old_schemas.OldIngress,
    "v1alpha3.spec": old_schemas.V1Alpha3Spec,
}
WHOLE = {requests.BentoRequest, bentos.Bento, deployments.BentoDeployment, deployments.ExtraPodSpec}
"""Objects themselves; and what has all fields of a pod, which the page says in a sentence."""
FROM_ELSEWHERE = {
    value for module in (podspec, inline_pods) for value in vars(module).values() if isinstance(value, type)
}


def _rows(heading: str) -> set[str]:
    match = re.search(rf"^#+ `?{re.escape(heading)}`?\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, f"the page has no section {heading}"
    return set(re.findall(r"^\| `([^`]+)` \|", match[1], re.MULTILINE))


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_page_has_a_row_for_every_field_and_no_other(heading: str) -> None:
    fields = SECTIONS[heading].model_fields

    assert _rows(heading) == {info.alias or name for name, info in fields.items()}


def test_every_model_of_the_schemas_has_a_section() -> None:
    modules = (shared, requests, bentos, deployments, old_schemas)
    written = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    of_ours = {value for value in written if issubclass(value, BaseModel)} - WHOLE - FROM_ELSEWHERE

    assert of_ours <= set(SECTIONS.values())


def test_the_page_names_every_annotation_that_is_read() -> None:
    sources = [path for path in SOURCES.rglob("*.py") if "cluster" not in path.parts]
    pattern = re.compile(r'"((?:fairlead|autoscaling\.knative)\.dev/[a-z-]+)"')
    own = {found for path in sources for found in pattern.findall(path.read_text())}
    wanted = {*annotations.CLUSTER_ONLY, *own, "yatai.ai/force-build-image", "yatai.ai/docker-registry-insecure"}

    assert own
    assert {name for name in wanted if f"`{name}`" not in PAGE} == set()
