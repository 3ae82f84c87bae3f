"""A kind whose versions have forms of their own: each is served, written and shown in its own words, stored in one."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.dialects.base import Document, Kind
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.catalog import Catalog
from support.bentos_stored import bento
from support.serving_api import ApiServer, serving
from support.stored_docs import DocumentWorld

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

DIALECT = BentoDialect()
PLACE = "/apis/serving.yatai.ai/{}/namespaces/default/bentodeployments"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
OLD = {"bento_tag": "iris:1", "autoscaling": {"min_replicas": 1, "max_replicas": 4}, "envs": [{"key": "A"}]}


def _admission(_operation: str, _kind: Kind, new: dict[str, Any], old: Document | None) -> dict[str, Any]:
    defaulted = DIALECT.default(new)
    DIALECT.validate(defaulted, catalog=Catalog(), old=old)
    return defaulted


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiServer]:
    stored = bento("summary", tag="summarization:7")
    world = DocumentWorld([{**stored, "metadata": {**stored["metadata"], "namespace": "default"}}])
    async with serving(
        tmp_path, admission=_admission, kinds=DIALECT.kinds, schema_of=DIALECT.open_api, world=world
    ) as server:
        yield server


def _deployment(version: str, spec: dict[str, Any], name: str = "iris") -> dict[str, Any]:
    return {
        "apiVersion": f"serving.yatai.ai/{version}",
        "kind": "BentoDeployment",
        "metadata": {"name": name},
        "spec": spec,
    }


async def test_what_is_written_in_one_version_is_read_in_all(api: ApiServer) -> None:
    code, created = await api.call("POST", PLACE.format("v1alpha2"), _deployment("v1alpha2", OLD))
    read = {
        version: (await api.call("GET", f"{PLACE.format(version)}/iris"))[1] for version in ("v1alpha2", "v2alpha1")
    }

    assert code == 201
    assert created["apiVersion"] == "serving.yatai.ai/v1alpha2"
    assert created["spec"] == read["v1alpha2"]["spec"] == OLD
    assert read["v2alpha1"]["spec"]["bento"] == "iris--1"
    assert read["v2alpha1"]["spec"]["envs"] == [{"name": "A"}]


async def test_fields_of_another_version_are_unknown(api: ApiServer) -> None:
    wrong = _deployment("v1alpha2", {**OLD, "monitorExporter": {"enabled": True}})

    code, refused = await api.call("POST", PLACE.format("v1alpha2"), wrong, fieldValidation="Strict")

    assert code == 400
    assert 'unknown field "spec.monitorExporter"' in refused["message"]


async def test_an_apply_in_an_old_version_leaves_the_rest_alone(api: ApiServer) -> None:
    new = {"bento": "summary", "monitorExporter": {"enabled": True, "output": "http"}}
    await api.call("POST", PLACE.format("v2alpha1"), _deployment("v2alpha1", new))
    patch = {"spec": {"resources": {"limits": {"cpu": "2"}}}}

    code, patched = await api.call(
        "PATCH", f"{PLACE.format('v1alpha3')}/iris", patch, type_="application/merge-patch+json"
    )
    _, stored = await api.call("GET", f"{PLACE.format('v2alpha1')}/iris")

    assert code == 200
    assert patched["spec"] == {"bento_tag": "summarization:7", "resources": {"limits": {"cpu": "2"}}}
    assert stored["spec"] == {**new, "resources": {"limits": {"cpu": "2"}}}


async def test_a_server_side_apply_in_an_old_version_is_owned_in_the_stored_one(api: ApiServer) -> None:
    config = _deployment("v1alpha3", OLD)
    path = f"{PLACE.format('v1alpha3')}/iris"

    code, applied = await api.call("PATCH", path, config, type_="application/apply-patch+yaml", fieldManager="me")
    again, _ = await api.call(
        "PATCH",
        path,
        {**config, "spec": {"bento_tag": "iris:2"}},
        type_="application/apply-patch+yaml",
        fieldManager="me",
    )
    _, stored = await api.call("GET", f"{PLACE.format('v2alpha1')}/iris")

    assert (code, again) == (201, 200)
    assert applied["spec"] == OLD
    assert stored["spec"] == {"bento": "iris--2"}


async def test_a_table_has_the_columns_of_its_version(api: ApiServer) -> None:
    await api.call("POST", PLACE.format("v1alpha2"), _deployment("v1alpha2", OLD))

    async def columns(version: str) -> dict[str, Any]:
        async with api.http.get(api.url + PLACE.format(version), headers={"accept": TABLE}) as response:
            table = await response.json(content_type=None)
        names = [one["name"] for one in table["columnDefinitions"]]
        return dict(zip(names, table["rows"][0]["cells"], strict=True))

    old, new = await columns("v1alpha2"), await columns("v2alpha1")

    assert (old["Bento"], old["MinReplicas"], old["MaxReplicas"]) == ("iris:1", 1, 4)
    assert new["Bento"] == "iris--1"
    assert "Available" in new


async def test_a_watch_and_the_openapi_are_of_the_version(api: ApiServer) -> None:
    await api.call("POST", PLACE.format("v2alpha1"), _deployment("v2alpha1", {"bento": "iris"}))

    async with api.http.get(f"{api.url}{PLACE.format('v1alpha1')}?watch=1") as response:
        line = await response.content.readline()
    _, document = await api.call("GET", "/openapi/v3/apis/serving.yatai.ai/v1alpha1")

    assert b'"bento_tag":"iris"' in line
    spec = document["components"]["schemas"]["ai.yatai.serving.v1alpha1.BentoDeployment"]["properties"]["spec"]
    assert "bento_tag" in spec["properties"]
    assert "ingress" not in spec["properties"]


async def test_mistakes_are_told_in_the_words_of_the_version(api: ApiServer) -> None:
    code, refused = await api.call(
        "POST", PLACE.format("v1alpha2"), _deployment("v1alpha2", {**OLD, "bento_tag": "iris:"})
    )

    assert code == 422
    assert "spec.bento_tag: Invalid value" in refused["message"]
