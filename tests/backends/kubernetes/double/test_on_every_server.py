"""What Kubernetes documents of its API, held against the double, against Fairlead's own API, and against a real
server where `FAIRLEAD_TEST_KUBECONFIG` names one.

The double is worth what it has in common with a real server: whoever changes it runs this with one.
"""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.cluster import running_cluster
from support.cluster.client import MERGE, OPERATIONS, STRATEGIC, Api, connected
from support.serving_api import SDEP, sdep_schema, serving

pytestmark = pytest.mark.anyio

Document = dict[str, Any]
PATH = "/apis/suite.fairlead.dev/v1/namespaces/default/specimens"
_REAL = "FAIRLEAD_TEST_KUBECONFIG"
# A kind of its own: a real cluster may have Seldon's.
KIND = replace(
    SDEP,
    group="suite.fairlead.dev",
    versions=("v1",),
    kind="Specimen",
    plural="specimens",
    singular="specimen",
    short_names=(),
    categories=(),
)


def definition() -> Document:
    """The kind of these tests, as a CustomResourceDefinition."""
    column = {"name": "State", "type": "string", "jsonPath": ".status.state"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": sdep_schema(KIND)},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
        "additionalPrinterColumns": [column],
    }
    names = {"plural": KIND.plural, "singular": KIND.singular, "kind": KIND.kind, "shortNames": list(KIND.short_names)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{KIND.plural}.{KIND.group}"},
        "spec": {"group": KIND.group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


@asynccontextmanager
async def double(_home: Path) -> AsyncIterator[Api]:
    async with running_cluster() as cluster, aiohttp.ClientSession() as http:
        await cluster.apply(definition())
        yield Api(cluster.url, http)


@asynccontextmanager
async def fairlead(home: Path) -> AsyncIterator[Api]:
    async with serving(home, kinds=[KIND]) as server:
        yield Api(server.url, server.http)


@asynccontextmanager
async def real(_home: Path) -> AsyncIterator[Api]:
    async with connected(Path(os.environ[_REAL])) as api:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + definition()["metadata"]["name"]
        applied = await api.apply(path, definition(), force="true")
        assert applied.code in (200, 201), applied.body
        while (await api.get(PATH)).code != 200:
            pass
        yield api


CLUSTERS = [double, *([real] if os.environ.get(_REAL) else [])]


@pytest.fixture(params=[*CLUSTERS, fairlead], ids=lambda start: start.__name__)
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    async with request.param(tmp_path) as api:
        yield api


@pytest.fixture(params=CLUSTERS, ids=lambda start: start.__name__)
async def cluster_api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    """For what Fairlead's own API takes more easily than a cluster does."""
    async with request.param(tmp_path) as api:
        yield api


def test_a_real_server_is_at_hand() -> None:
    if not os.environ.get(_REAL):
        pytest.skip(f"not run: the suite of API servers, against a real one; {_REAL} names a kubeconfig of one")


@pytest.fixture
def name() -> str:
    """Not used by any other test, as a real server remembers."""
    return f"iris-{uuid.uuid4().hex[:8]}"


def iris(name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> Document:
    return {
        "apiVersion": "suite.fairlead.dev/v1",
        "kind": "Specimen",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "spec": {"predictors": [{"name": "default", "graph": {"name": "c"}}], **spec},
    }


async def test_what_is_created_gets_an_identity(api: Api, name: str) -> None:
    created = await api.create(PATH, iris(name))

    assert created.code == 201
    metadata = created.body["metadata"]
    assert metadata["generation"] == 1
    assert {"uid", "resourceVersion", "creationTimestamp"} <= metadata.keys()
    assert metadata["namespace"] == "default"


async def test_a_second_create_is_refused(api: Api, name: str) -> None:
    await api.create(PATH, iris(name))

    again = await api.create(PATH, iris(name))

    assert (again.code, again.body["reason"]) == (409, "AlreadyExists")
    assert again.body["message"] == f'specimens.suite.fairlead.dev "{name}" already exists'


async def test_what_is_created_has_no_version_yet(cluster_api: Api, name: str) -> None:
    document = iris(name)
    document["metadata"]["resourceVersion"] = "1"

    refused = await cluster_api.create(PATH, document)

    assert refused.body["message"] == "resourceVersion should not be set on objects to be created"
    assert refused.code >= 400


async def test_what_is_absent_is_named(api: Api, name: str) -> None:
    missing = await api.get(f"{PATH}/{name}")

    assert (missing.code, missing.body["reason"]) == (404, "NotFound")
    assert missing.body["message"] == f'specimens.suite.fairlead.dev "{name}" not found'
    assert missing.body["details"]["name"] == name
    assert missing.body["details"]["kind"] == "specimens"


async def test_a_write_of_what_has_changed_since_is_a_conflict(api: Api, name: str) -> None:
    first = (await api.create(PATH, iris(name))).body
    await api.merge(f"{PATH}/{name}", {"spec": {"replicas": 2}})

    late = await api.replace(f"{PATH}/{name}", first)

    assert (late.code, late.body["reason"]) == (409, "Conflict")
    assert late.body["message"] == (
        f'Operation cannot be fulfilled on specimens.suite.fairlead.dev "{name}": the object has been '
        "modified; please apply your changes to the latest version and try again"
    )


async def test_a_replacement_says_what_it_replaces(cluster_api: Api, name: str) -> None:
    await cluster_api.create(PATH, iris(name))

    blind = await cluster_api.replace(f"{PATH}/{name}", iris(name, replicas=2))

    assert (blind.code, blind.body["reason"]) == (422, "Invalid")
    assert "metadata.resourceVersion: Invalid value: " in blind.body["message"]
    assert "must be specified for an update" in blind.body["message"]


async def test_generation_counts_specifications_only(api: Api, name: str) -> None:
    await api.create(PATH, iris(name))

    labelled = await api.merge(f"{PATH}/{name}", {"metadata": {"labels": {"team": "a"}}})
    reported = await api.merge(f"{PATH}/{name}/status", {"status": {"state": "Creating"}})
    changed = await api.merge(f"{PATH}/{name}", {"spec": {"replicas": 3}})

    assert [answer.body["metadata"]["generation"] for answer in (labelled, reported, changed)] == [1, 1, 2]


async def test_status_and_specification_are_written_apart(api: Api, name: str) -> None:
    await api.create(PATH, {**iris(name), "status": {"state": "Forged"}})

    after_create = (await api.get(f"{PATH}/{name}")).body
    reported = await api.merge(f"{PATH}/{name}/status", {"status": {"state": "Available"}, "spec": {"replicas": 9}})
    changed = await api.merge(f"{PATH}/{name}", {"status": {"state": "Forged"}, "spec": {"replicas": 2}})

    assert "status" not in after_create
    assert reported.body["status"] == {"state": "Available"}
    assert "replicas" not in reported.body["spec"]
    assert changed.body["status"] == {"state": "Available"}
    assert changed.body["spec"]["replicas"] == 2


async def test_nothing_is_written_when_nothing_changes(api: Api, name: str) -> None:
    first = await api.create(PATH, iris(name, replicas=1))

    patched = await api.merge(f"{PATH}/{name}", {"spec": {"replicas": 1}})
    replaced = await api.replace(f"{PATH}/{name}", patched.body)

    assert first.version == patched.version == replaced.version


async def test_an_unknown_field_is_dropped_with_a_warning(api: Api, name: str) -> None:
    created = await api.create(PATH, iris(name, colour="green"))

    assert created.code == 201
    assert "colour" not in created.body["spec"]
    assert created.warnings == ('299 - "unknown field \\"spec.colour\\""',)


async def test_an_unknown_field_is_refused_on_request(api: Api, name: str) -> None:
    refused = await api.create(PATH, iris(name, colour="green"), fieldValidation="Strict")

    assert (refused.code, refused.body["reason"]) == (400, "BadRequest")
    assert 'strict decoding error: unknown field "spec.colour"' in refused.body["message"]
    assert (await api.get(f"{PATH}/{name}")).code == 404


async def test_a_wrong_value_is_refused_with_its_place(api: Api, name: str) -> None:
    refused = await api.create(PATH, iris(name, replicas="many"))

    assert (refused.code, refused.body["reason"]) == (422, "Invalid")
    assert refused.body["message"].startswith(f'Specimen.suite.fairlead.dev "{name}" is invalid: ')
    assert refused.body["details"]["causes"][0]["field"] == "spec.replicas"


async def test_a_dry_run_answers_and_writes_nothing(api: Api, name: str) -> None:
    tried = await api.create(PATH, iris(name), dryRun="All")

    assert tried.code == 201
    assert (await api.get(f"{PATH}/{name}")).code == 404


async def test_names_are_made_up_on_request(api: Api, name: str) -> None:
    document = iris(name)
    document["metadata"] = {"generateName": f"{name}-"}

    made = [(await api.create(PATH, document)).body["metadata"]["name"] for _ in range(2)]

    assert len(set(made)) == 2
    assert all(item.startswith(f"{name}-") and len(item) == len(name) + 6 for item in made)


async def test_a_patch_of_operations_that_fails_changes_nothing(api: Api, name: str) -> None:
    first = await api.create(PATH, iris(name, replicas=1))
    operations = [
        {"op": "replace", "path": "/spec/replicas", "value": 2},
        {"op": "test", "path": "/spec/replicas", "value": 1},
    ]

    failed = await api.call("PATCH", f"{PATH}/{name}", operations, media=OPERATIONS)

    assert failed.code == 422
    assert (await api.get(f"{PATH}/{name}")).version == first.version


async def test_custom_resources_have_no_strategic_merge(api: Api, name: str) -> None:
    await api.create(PATH, iris(name))

    refused = await api.call("PATCH", f"{PATH}/{name}", {"spec": {"replicas": 2}}, media=STRATEGIC)

    assert (refused.code, refused.body["reason"]) == (415, "UnsupportedMediaType")
    assert MERGE in refused.body["message"]


async def test_labels_select(api: Api, name: str) -> None:
    await api.create(PATH, iris(f"{name}-a", labels={"run": name, "tier": "one"}))
    await api.create(PATH, iris(f"{name}-b", labels={"run": name, "tier": "two"}))
    await api.create(PATH, iris(f"{name}-c", labels={"run": name}))

    async def names(selector: str) -> list[str]:
        found = await api.get(PATH, labelSelector=f"run={name},{selector}")
        return [item["metadata"]["name"].removeprefix(f"{name}-") for item in found.body["items"]]

    assert await names("tier=one") == ["a"]
    assert await names("tier!=one") == ["b", "c"]
    assert await names("tier in (one,two)") == ["a", "b"]
    assert await names("!tier") == ["c"]


async def test_fields_select_by_name_and_by_nothing_unknown(api: Api, name: str) -> None:
    await api.create(PATH, iris(name))

    found = await api.get(PATH, fieldSelector=f"metadata.name={name}")
    refused = await api.get(PATH, fieldSelector="spec.replicas=1")

    assert [item["metadata"]["name"] for item in found.body["items"]] == [name]
    assert refused.code == 400


async def test_a_list_comes_in_pages(api: Api, name: str) -> None:
    for letter in "abc":
        await api.create(PATH, iris(f"{name}-{letter}", labels={"run": name}))

    first = await api.get(PATH, labelSelector=f"run={name}", limit="2")
    second = await api.get(
        PATH, labelSelector=f"run={name}", limit="2", **{"continue": first.body["metadata"]["continue"]}
    )

    names = [item["metadata"]["name"][-1] for item in (*first.body["items"], *second.body["items"])]
    assert names == ["a", "b", "c"]
    assert not second.body["metadata"].get("continue")
    assert first.version == second.version


async def test_a_finalizer_holds_what_is_deleted(cluster_api: Api, name: str) -> None:
    document = iris(name)
    document["metadata"]["finalizers"] = ["example.com/wait"]
    await cluster_api.create(PATH, document)

    deleted = await cluster_api.delete(f"{PATH}/{name}")
    held = await cluster_api.get(f"{PATH}/{name}")
    released = await cluster_api.merge(f"{PATH}/{name}", {"metadata": {"finalizers": None}})

    assert deleted.code == 200
    assert "deletionTimestamp" in deleted.body["metadata"]
    assert held.body["metadata"]["generation"] == 2
    assert released.code == 200
    assert (await cluster_api.get(f"{PATH}/{name}")).code == 404


async def test_what_is_deleted_takes_no_new_finalizer(cluster_api: Api, name: str) -> None:
    document = iris(name)
    document["metadata"]["finalizers"] = ["example.com/wait"]
    await cluster_api.create(PATH, document)
    await cluster_api.delete(f"{PATH}/{name}")

    more = {"metadata": {"finalizers": ["example.com/wait", "example.com/more"]}}
    refused = await cluster_api.merge(f"{PATH}/{name}", more)
    await cluster_api.merge(f"{PATH}/{name}", {"metadata": {"finalizers": None}})

    assert refused.code == 422
    assert "no new finalizers can be added if the object is being deleted" in refused.body["message"]


async def test_a_deletion_may_insist_on_an_identity(cluster_api: Api, name: str) -> None:
    await cluster_api.create(PATH, iris(name))

    refused = await cluster_api.delete(f"{PATH}/{name}", {"preconditions": {"uid": "another"}})

    assert (refused.code, refused.body["reason"]) == (409, "Conflict")
    assert "the UID in the precondition (another) does not match the UID in record (" in refused.body["message"]


async def test_an_apply_creates_and_then_changes_nothing(api: Api, name: str) -> None:
    created = await api.apply(f"{PATH}/{name}", iris(name, replicas=1))
    again = await api.apply(f"{PATH}/{name}", iris(name, replicas=1))

    assert (created.code, again.code) == (201, 200)
    assert again.body == created.body
    (manager,) = created.body["metadata"]["managedFields"]
    assert (manager["manager"], manager["operation"]) == ("one", "Apply")
    assert manager["fieldsV1"] == {"f:spec": {"f:predictors": {}, "f:replicas": {}}}


async def test_an_apply_needs_a_manager(cluster_api: Api, name: str) -> None:
    refused = await cluster_api.call("PATCH", f"{PATH}/{name}", iris(name), media="application/apply-patch+yaml")

    assert refused.code == 422
    assert "fieldManager: Required value: is required for apply patch" in refused.body["message"]


async def test_an_apply_does_not_take_what_another_applied(api: Api, name: str) -> None:
    await api.apply(f"{PATH}/{name}", iris(name, replicas=1), "one")

    refused = await api.apply(f"{PATH}/{name}", iris(name, replicas=2), "two")

    assert (refused.code, refused.body["reason"]) == (409, "Conflict")
    assert refused.body["message"].startswith('Apply failed with 1 conflict: conflict with "one"')
    (cause,) = refused.body["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".spec.replicas")


async def test_a_conflict_names_who_applied_and_how_others_wrote(cluster_api: Api, name: str) -> None:
    await cluster_api.apply(f"{PATH}/{name}", iris(name, replicas=1), "one")
    by_apply = await cluster_api.apply(f"{PATH}/{name}", iris(name, replicas=2), "two")
    await cluster_api.merge(f"{PATH}/{name}", {"spec": {"replicas": 3}}, fieldManager="user")
    by_update = await cluster_api.apply(f"{PATH}/{name}", iris(name, replicas=2), "two")

    assert by_apply.body["message"] == 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
    assert by_update.body["message"] == (
        'Apply failed with 1 conflict: conflict with "user" using suite.fairlead.dev/v1: .spec.replicas'
    )


async def test_an_apply_of_a_wrong_type_is_an_error(cluster_api: Api, name: str) -> None:
    refused = await cluster_api.apply(f"{PATH}/{name}", iris(name, replicas="many"))

    assert refused.code == 500
    assert refused.body["message"].endswith(".spec.replicas: expected numeric (int or float), got string")


async def test_an_identity_cannot_be_changed(cluster_api: Api, name: str) -> None:
    await cluster_api.create(PATH, iris(name))

    refused = await cluster_api.merge(f"{PATH}/{name}", {"metadata": {"uid": "another"}})

    assert refused.code == 422
    assert 'metadata.uid: Invalid value: "another": field is immutable' in refused.body["message"]


async def test_managers_are_forgotten_on_request_only(cluster_api: Api, name: str) -> None:
    await cluster_api.apply(f"{PATH}/{name}", iris(name))

    kept = await cluster_api.merge(f"{PATH}/{name}", {"metadata": {"managedFields": []}})
    forgotten = await cluster_api.merge(f"{PATH}/{name}", {"metadata": {"managedFields": [{}]}})

    assert [entry["manager"] for entry in kept.body["metadata"]["managedFields"]] == ["one"]
    assert "managedFields" not in forgotten.body["metadata"]


async def test_another_kind_does_not_belong_here(cluster_api: Api, name: str) -> None:
    refused = await cluster_api.create(PATH, {**iris(name), "kind": "Other"})

    assert refused.code == 422
    assert 'kind: Invalid value: "Other": must be Specimen' in refused.body["message"]


async def test_versions_that_are_yet_to_come_are_waited_for_in_vain(cluster_api: Api) -> None:
    refused = await cluster_api.get(PATH, resourceVersion="99999999")

    assert (refused.code, refused.body["reason"]) == (504, "Timeout")
    assert refused.body["message"].startswith("Timeout: Too large resource version: 99999999, current: ")
    assert refused.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_a_forced_apply_takes_the_field(api: Api, name: str) -> None:
    await api.apply(f"{PATH}/{name}", iris(name, replicas=1), "one")

    forced = await api.apply(f"{PATH}/{name}", iris(name, replicas=2), "two", force="true")

    assert forced.body["spec"]["replicas"] == 2
    fields = {entry["manager"]: entry["fieldsV1"]["f:spec"] for entry in forced.body["metadata"]["managedFields"]}
    assert fields == {"one": {"f:predictors": {}}, "two": {"f:predictors": {}, "f:replicas": {}}}


async def test_what_is_applied_no_more_goes(api: Api, name: str) -> None:
    annotated = iris(name, replicas=1, annotations={"a": "1", "b": "2"})
    await api.apply(f"{PATH}/{name}", annotated)

    less = await api.apply(f"{PATH}/{name}", iris(name, annotations={"a": "1"}))

    assert "replicas" not in less.body["spec"]
    assert less.body["spec"]["annotations"] == {"a": "1"}


async def test_what_another_holds_stays(api: Api, name: str) -> None:
    await api.apply(f"{PATH}/{name}", iris(name, replicas=1), "one")
    await api.apply(f"{PATH}/{name}", iris(name, replicas=1), "two")

    less = await api.apply(f"{PATH}/{name}", iris(name), "one")

    assert less.body["spec"]["replicas"] == 1


async def test_what_a_user_changed_is_in_the_way_of_an_apply(api: Api, name: str) -> None:
    await api.apply(f"{PATH}/{name}", iris(name, replicas=1), "one")
    await api.merge(f"{PATH}/{name}", {"spec": {"replicas": 5}}, fieldManager="user")

    refused = await api.apply(f"{PATH}/{name}", iris(name, replicas=1), "one")
    without = await api.apply(f"{PATH}/{name}", iris(name), "one")

    assert refused.code == 409
    assert 'conflict with "user" using suite.fairlead.dev/v1' in refused.body["message"]
    assert without.body["spec"]["replicas"] == 5


async def test_an_apply_of_the_status_owns_the_status_alone(api: Api, name: str) -> None:
    await api.apply(f"{PATH}/{name}", iris(name), "one")
    head = {key: value for key, value in iris(name).items() if key != "spec"}

    applied = await api.apply(f"{PATH}/{name}/status", {**head, "status": {"state": "Available"}}, "reporter")

    assert applied.body["status"] == {"state": "Available"}
    (entry,) = [item for item in applied.body["metadata"]["managedFields"] if item["manager"] == "reporter"]
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"] == {"f:status": {"f:state": {}}}


async def test_an_apply_names_no_managers(api: Api, name: str) -> None:
    document = iris(name)
    document["metadata"]["managedFields"] = [{"manager": "x"}]

    refused = await api.apply(f"{PATH}/{name}", document)

    assert refused.code == 400
    assert refused.body["message"] == "metadata.managedFields must be nil"


async def test_an_apply_may_insist_on_an_identity(cluster_api: Api, name: str) -> None:
    document = iris(name)
    document["metadata"]["uid"] = "6f1c7bd6-2d4e-4a6f-8a3b-0123456789ab"

    refused = await cluster_api.apply(f"{PATH}/{name}", document)

    assert (refused.code, refused.body["reason"]) == (409, "Conflict")
    assert "uid mismatch" in refused.body["message"]


async def test_an_apply_of_what_the_schema_lacks_is_an_error(cluster_api: Api, name: str) -> None:
    refused = await cluster_api.apply(f"{PATH}/{name}", iris(name, colour="green"))

    assert refused.code == 500
    assert refused.body["message"].startswith("failed to create typed patch object (")
    assert ".spec.colour: field not declared in schema" in refused.body["message"]


async def test_a_watch_tells_what_happens_after_a_list(api: Api, name: str) -> None:
    where = {"labelSelector": f"run={name}"}
    listed = await api.get(PATH, **where)

    async with api.watch(PATH, resourceVersion=listed.version, **where) as events:
        await api.create(PATH, iris(name, labels={"run": name}))
        await api.merge(f"{PATH}/{name}", {"spec": {"replicas": 2}})
        await api.delete(f"{PATH}/{name}")
        found = [await events.next() for _ in range(3)]

    assert [kind for kind, _ in found] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(document["metadata"]["resourceVersion"]) for _, document in found]
    assert versions == sorted(set(versions))
    assert found[1][1]["spec"]["replicas"] == 2


async def test_a_watch_without_a_version_begins_with_what_is_there(api: Api, name: str) -> None:
    await api.create(PATH, iris(name, labels={"run": name}))

    async with api.watch(PATH, labelSelector=f"run={name}") as events:
        kind, document = await events.next()

    assert (kind, document["metadata"]["name"]) == ("ADDED", name)


async def test_what_leaves_a_selection_looks_deleted(api: Api, name: str) -> None:
    created = await api.create(PATH, iris(name, labels={"run": name}))

    async with api.watch(PATH, resourceVersion=created.version, labelSelector=f"run={name}") as events:
        await api.merge(f"{PATH}/{name}", {"metadata": {"labels": {"run": None}}})
        await api.merge(f"{PATH}/{name}", {"metadata": {"labels": {"run": name}}})
        found = [(await events.next())[0] for _ in range(2)]

    assert found == ["DELETED", "ADDED"]


async def test_a_watch_ends_when_its_time_is_over(api: Api, name: str) -> None:
    listed = await api.get(PATH)

    async with api.watch(
        PATH, resourceVersion=listed.version, timeoutSeconds="1", labelSelector=f"run={name}"
    ) as events:
        with pytest.raises(EOFError):
            await events.next()


async def test_replicas_are_scaled_through_their_own_door(api: Api, name: str) -> None:
    await api.create(PATH, iris(name, replicas=1))

    scaled = await api.merge(f"{PATH}/{name}/scale", {"spec": {"replicas": 4}})

    assert scaled.body["kind"] == "Scale"
    assert scaled.body["spec"] == {"replicas": 4}
    assert (await api.get(f"{PATH}/{name}")).body["spec"]["replicas"] == 4


async def test_an_object_lives_under_one_name(api: Api, name: str) -> None:
    await api.create(PATH, iris(name))

    renamed = await api.merge(f"{PATH}/{name}", {"metadata": {"name": "other"}})
    moved = await api.create(PATH, {**iris(name), "metadata": {"name": name, "namespace": "elsewhere"}})

    assert renamed.code in (400, 422)
    assert moved.code == 400


@pytest.mark.parametrize("wrong", ["Iris", "-iris", "iris_", "i" * 254])
async def test_names_are_those_of_hosts(api: Api, wrong: str) -> None:
    refused = await api.create(PATH, iris(wrong))

    assert (refused.code, refused.body["reason"]) == (422, "Invalid")
    assert "metadata.name: Invalid value: " in refused.body["message"]


async def test_labels_are_short_words(api: Api, name: str) -> None:
    refused = await api.create(PATH, iris(name, labels={"a": "not a word"}))

    assert refused.code == 422
    assert 'metadata.labels: Invalid value: "not a word": a valid label must be' in refused.body["message"]
