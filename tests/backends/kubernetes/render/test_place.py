"""What all objects of a layout share."""

from dataclasses import replace

from fairlead.backends.kubernetes.render import render
from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import ServicePort
from support.layouts import OWNER, layout, service, workload

NAMELESS = ServicePort(port=80, target=8080)


def test_objects_without_an_owners_uid_have_no_owner() -> None:
    (made,) = render(layout(services=(service(ports=(NAMELESS,)),)), ClusterSettings())

    assert made["metadata"] == {
        "name": "iris",
        "namespace": "models",
        "labels": {"app.kubernetes.io/managed-by": "fairlead"},
    }


def test_objects_of_a_stored_owner_are_controlled_by_it() -> None:
    parts = {"services": (service(),), "workloads": (workload(),), "configs": ({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}
    },)}  # fmt: skip

    objects = render(layout(owner=replace(OWNER, uid="u-1"), **parts), ClusterSettings())

    owner = {
        "apiVersion": "serving.example.com/v1",
        "kind": "Model",
        "name": "iris",
        "uid": "u-1",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    assert [made["kind"] for made in objects] == ["ConfigMap", "Service", "Deployment"]
    assert all(made["metadata"]["ownerReferences"] == [owner] for made in objects)
    assert objects[0]["data"] == {"a": "b"}


def test_the_dialects_word_for_who_manages_an_object_stays() -> None:
    labels = {"app.kubernetes.io/managed-by": "seldon-core", "a": "b"}

    (made,) = render(layout(services=(service(labels=labels),)), ClusterSettings())

    assert made["metadata"]["labels"] == labels


def test_objects_share_nothing_that_can_be_changed() -> None:
    given = layout(workloads=(workload("a"), workload("b")))

    first, second = render(given, ClusterSettings())
    first["spec"]["template"]["spec"]["containers"][0]["image"] = "changed"

    assert second["spec"]["template"]["spec"]["containers"][0]["image"] == "example.com/model:1"
    assert render(given, ClusterSettings())[0] == {**second, "metadata": {**second["metadata"], "name": "a"}}
