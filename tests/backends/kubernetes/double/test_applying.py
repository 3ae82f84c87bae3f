"""Server-side apply of built-in objects: lists with keys, structs, defaults, and what several managers make of them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.cluster.client import Api
from support.cluster.fieldsets import decode, encode, fields_of, merged, without
from support.cluster.schemas import built_ins

pytestmark = pytest.mark.anyio

Document = dict[str, Any]
PATH = "/apis/apps/v1/namespaces/default/deployments/iris"


def deployment(*containers: Document, **spec: Any) -> Document:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "iris"},
        "spec": {
            "selector": {"matchLabels": {"app": "iris"}},
            "template": {"metadata": {"labels": {"app": "iris"}}, "spec": {"containers": list(containers)}},
            **spec,
        },
    }


def main(**fields: Any) -> Document:
    return {"name": "main", "image": "example.com/iris:1", **fields}


def containers_of(document: Document) -> dict[str, Document]:
    return {item["name"]: item for item in document["spec"]["template"]["spec"]["containers"]}


def fields_by(document: Document, manager: str) -> Document:
    (entry,) = [item for item in document["metadata"]["managedFields"] if item["manager"] == manager]
    found: Document = entry["fieldsV1"]
    return found


async def test_items_of_lists_are_owned_by_their_keys(api: Api) -> None:
    container = main(env=[{"name": "A", "value": "1"}], ports=[{"containerPort": 80}])

    made = await api.apply(PATH, deployment(container))

    spec = fields_by(made.body, "one")["f:spec"]
    assert spec["f:selector"] == {}
    assert spec["f:template"]["f:spec"]["f:containers"] == {
        'k:{"name":"main"}': {
            ".": {},
            "f:name": {},
            "f:image": {},
            "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
            "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
        }
    }


async def test_two_managers_share_a_list(api: Api) -> None:
    await api.apply(PATH, deployment(main()), "one")
    sidecar = {"name": "side", "image": "example.com/side:1"}
    both = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "iris"}}
    both["spec"] = {"template": {"spec": {"containers": [sidecar]}}}
    await api.apply(PATH, both, "two")

    again = await api.apply(PATH, deployment(main(image="example.com/iris:2")), "one")

    assert {name: item["image"] for name, item in containers_of(again.body).items()} == {
        "main": "example.com/iris:2",
        "side": "example.com/side:1",
    }


async def test_what_is_applied_no_more_takes_its_defaults_along(api: Api) -> None:
    probe = {"httpGet": {"port": 80}}
    await api.apply(PATH, deployment(main(readinessProbe=probe, ports=[{"containerPort": 80}])))

    less = await api.apply(PATH, deployment(main()))

    container = containers_of(less.body)["main"]
    assert "readinessProbe" not in container
    assert "ports" not in container
    assert container["terminationMessagePath"] == "/dev/termination-log"


async def test_an_item_applied_no_more_goes(api: Api) -> None:
    variables = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    await api.apply(PATH, deployment(main(env=variables), {"name": "side", "image": "example.com/side:1"}))

    less = await api.apply(PATH, deployment(main(env=variables[:1])))

    assert list(containers_of(less.body)) == ["main"]
    assert containers_of(less.body)["main"]["env"] == [{"name": "A", "value": "1"}]


async def test_replicas_left_out_stay_as_the_autoscaler_set_them(api: Api) -> None:
    await api.apply(PATH, deployment(main(), replicas=2))
    await api.merge(f"{PATH}/scale", {"spec": {"replicas": 5}}, fieldManager="autoscaler")

    refused = await api.apply(PATH, deployment(main(), replicas=2))
    handed_over = await api.apply(PATH, deployment(main()))

    assert refused.code == 409
    assert 'conflict with "autoscaler" with subresource "scale" using apps/v1' in refused.body["message"]
    assert handed_over.body["spec"]["replicas"] == 5


async def test_a_user_keeps_what_the_applier_never_said(api: Api) -> None:
    await api.apply(PATH, deployment(main()))
    await api.merge(PATH, {"metadata": {"annotations": {"team": "a"}}}, fieldManager="user")

    again = await api.apply(PATH, deployment(main(image="example.com/iris:2")))

    assert again.body["metadata"]["annotations"] == {"team": "a"}


async def test_values_written_another_way_are_no_change(api: Api) -> None:
    first = await api.apply(
        PATH, deployment(main(resources={"limits": {"cpu": "1000m"}}, env=[{"name": "A", "value": ""}]))
    )

    again = await api.apply(
        PATH, deployment(main(resources={"limits": {"cpu": "1000m"}}, env=[{"name": "A", "value": ""}]))
    )

    assert again.version == first.version
    assert again.body["metadata"]["generation"] == 1


async def test_an_update_takes_fields_from_the_applier(api: Api) -> None:
    made = await api.apply(PATH, deployment(main()))
    changed = made.body
    containers_of(changed)["main"]["image"] = "example.com/iris:2"

    updated = await api.replace(PATH, changed, fieldManager="user")

    containers = fields_by(updated.body, "one")["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert "f:image" not in containers['k:{"name":"main"}']
    assert "f:image" in str(fields_by(updated.body, "user"))


async def test_one_key_twice_is_an_error(api: Api) -> None:
    ports = [{"containerPort": 80, "name": "http"}, {"containerPort": 80, "name": "grpc"}]

    refused = await api.apply(PATH, deployment(main(ports=ports)))

    assert refused.code == 500
    assert (
        '.spec.template.spec.containers[name="main"].ports: duplicate entries for key '
        '[containerPort=80,protocol="TCP"]' in refused.body["message"]
    )


async def test_a_field_that_is_not_there_is_an_error(api: Api) -> None:
    refused = await api.apply(PATH, deployment(main(imagePolicy="Always")))

    assert refused.code == 500
    assert (
        '.spec.template.spec.containers[name="main"].imagePolicy: field not declared in schema'
        in refused.body["message"]
    )


async def test_no_version_means_no_manager_is_forgotten(api: Api) -> None:
    made = await api.apply(PATH, deployment(main()))
    bare = {
        **made.body,
        "metadata": {key: value for key, value in made.body["metadata"].items() if key != "managedFields"},
    }

    kept = await api.replace(PATH, bare, fieldManager="user")
    dropped = await api.replace(PATH, {**kept.body, "metadata": {**kept.body["metadata"], "managedFields": [{}]}})

    assert fields_by(kept.body, "one")
    assert "managedFields" not in dropped.body["metadata"]


_SCHEMA = built_ins().definition("io.k8s.api.apps.v1.Deployment")
_WORD = st.sampled_from(["a", "b", "c"])
_CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": _WORD},
        optional={
            "image": _WORD,
            "args": st.lists(_WORD),
            "env": st.lists(st.fixed_dictionaries({"name": _WORD}), max_size=1),
        },
    ),
    unique_by=lambda item: item["name"],
)


@given(_CONTAINERS)
@settings(max_examples=60)
def test_sets_of_fields_are_read_as_they_are_written(containers: list[Document]) -> None:
    found = fields_of(deployment(*containers), _SCHEMA)

    assert decode(encode(found)) == found


@given(_CONTAINERS, _CONTAINERS.filter(bool))
@settings(max_examples=60)
def test_a_merge_holds_all_that_is_applied_and_nothing_is_lost(live: list[Document], applied: list[Document]) -> None:
    result = merged(deployment(*live), deployment(*applied), _SCHEMA)

    wanted, found = fields_of(deployment(*applied), _SCHEMA), fields_of(result, _SCHEMA)
    assert {path for path in wanted if path[-1] not in ("f:env", "f:args")} <= found
    assert set(containers_of(result)) == {item["name"] for item in (*live, *applied)}
    assert merged(result, deployment(*applied), _SCHEMA) == result


@given(_CONTAINERS)
@settings(max_examples=60)
def test_less_all_its_fields_nothing_is_left(containers: list[Document]) -> None:
    document = deployment(*containers)

    left = without(document, fields_of(document, _SCHEMA), _SCHEMA)

    assert not [path for path in fields_of(left, _SCHEMA) if path[-1].startswith("k:")]
