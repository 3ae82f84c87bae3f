"""docs/seldon-manifest.md names every field of the schema, where a reader would look for it."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from fairlead.dialects import podspec
from fairlead.dialects.seldon import annotations, crd, schema
from fairlead.dialects.seldon.names import SERVICE_NAME_ANNOTATION
from fairlead.dialects.seldon.validate import NO_ENGINE_ANNOTATION

PAGE = (Path(__file__).parents[3] / "docs" / "seldon-manifest.md").read_text()
PREDICTOR = "spec.predictors[]"
POD = f"{PREDICTOR}.componentSpecs[]"
CONTAINER = f"{POD}.spec.containers[]"
SECTIONS: dict[str, type[BaseModel]] = {
    "spec": schema.SeldonDeploymentSpec,
    PREDICTOR: schema.PredictorSpec,
    f"{PREDICTOR}.graph": schema.PredictiveUnit,
    f"{PREDICTOR}.graph.endpoint": schema.Endpoint,
    f"{PREDICTOR}.graph.parameters[]": schema.Parameter,
    f"{PREDICTOR}.graph.logger": schema.Logger,
    POD: schema.SeldonPodSpec,
    f"{POD}.hpaSpec": schema.HpaSpec,
    f"{POD}.kedaSpec": schema.KedaSpec,
    f"{POD}.pdbSpec": schema.PdbSpec,
    f"{POD}.spec": podspec.PodSpec,
    CONTAINER: podspec.Container,
    f"{CONTAINER}.env[]": podspec.EnvVar,
    f"{CONTAINER}.env[].valueFrom": podspec.EnvVarSource,
    f"{CONTAINER}.envFrom[]": podspec.EnvFromSource,
    f"{POD}.spec.volumes[]": podspec.Volume,
    f"{PREDICTOR}.svcOrchSpec": schema.SvcOrchSpec,
    f"{PREDICTOR}.explainer": schema.Explainer,
    f"{PREDICTOR}.ssl": schema.Ssl,
}


def rows(heading: str) -> set[str]:
    """The first cells of the table under a heading."""
    match = re.search(rf"^#+ `{re.escape(heading)}`\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, f"the page has no section {heading}"
    return set(re.findall(r"^\| `([^`]+)` \|", match[1], re.MULTILINE))


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_page_has_a_row_for_every_field_and_no_other(heading: str) -> None:
    fields = {info.alias or name for name, info in SECTIONS[heading].model_fields.items()}

    assert rows(heading) == fields


def test_the_page_has_a_row_for_every_field_of_the_status() -> None:
    assert rows("status") == set(crd.open_api()["properties"]["status"]["properties"])


def test_every_model_of_the_schema_has_a_section() -> None:
    documented = set(SECTIONS.values())
    written = {value for value in vars(schema).values() if isinstance(value, type) and issubclass(value, BaseModel)}
    from_elsewhere = {podspec.Object, podspec.OpenObject, podspec.ObjectMeta, podspec.ResourceRequirements}

    assert written - from_elsewhere - {schema.SeldonDeployment} <= documented


def test_the_page_names_every_annotation_that_is_read() -> None:
    read = {
        value for name, value in vars(annotations).items() if name.isupper() and str(value).startswith("seldon.io/")
    }
    read |= {SERVICE_NAME_ANNOTATION, NO_ENGINE_ANNOTATION, *annotations._WORKER}

    assert {name for name in read if f"`{name}" not in PAGE} == set()
