"""The API over HTTP: every verb, as a client library would use it, on a real port."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fairlead.control.api.kinds import POD
from fairlead.dialects.base import Kind
from fairlead.errors import InvalidManifest, Problem, Where
from support.objects import Clock, config_map, owner_of
from support.serving_api import SDEP, ApiServer, ListedLogs, sdep, serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SDEPS = "/apis/machinelearning.seldon.io/v1/namespaces/default/seldondeployments"
MAPS = "/api/v1/namespaces/default/configmaps"
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


def no_bad_models(operation: str, _kind: Kind, new: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    assert (operation == "CREATE") is (old is None)
    if new.get("spec", {}).get("name") == "bad":
        problem = Problem(where=Where(path="spec"), field="spec.predictors[0]", message="bad")
        raise InvalidManifest([problem], message="SeldonDeployment is invalid: spec.predictors[0]: Invalid value: bad")
    return new


@pytest.fixture
async def logs() -> ListedLogs:
    return ListedLogs()


@pytest.fixture
async def api(tmp_path: Path, logs: ListedLogs) -> AsyncIterator[ApiServer]:
    async with serving(tmp_path, admission=no_bad_models, pods=logs, clock=Clock()) as server:
        yield server


async def test_create_read_update_delete(api: ApiServer) -> None:
    created_code, created = await api.call("POST", SDEPS, sdep("iris"))
    read_code, read = await api.call("GET", f"{SDEPS}/iris")
    created["spec"]["replicas"] = 2
    updated_code, updated = await api.call("PUT", f"{SDEPS}/iris", created)
    deleted_code, deleted = await api.call("DELETE", f"{SDEPS}/iris")
    gone_code, gone = await api.call("GET", f"{SDEPS}/iris")

    assert (created_code, read_code, updated_code, deleted_code, gone_code) == (201, 200, 200, 200, 404)
    assert read["metadata"]["uid"] == updated["metadata"]["uid"]
    assert updated["metadata"]["generation"] == 2
    assert deleted["status"] == "Success"
    assert gone == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'seldondeployments.machinelearning.seldon.io "iris" not found',
        "reason": "NotFound",
        "details": {"name": "iris", "group": "machinelearning.seldon.io", "kind": "seldondeployments"},
        "code": 404,
    }


async def test_lists_of_one_namespace_of_all_by_selector_and_by_page(api: ApiServer) -> None:
    for number in range(3):
        body = config_map(f"c{number}", labels={"parity": "even" if number % 2 == 0 else "odd"})
        await api.call("POST", MAPS, body)

    _, all_of_them = await api.call("GET", "/api/v1/configmaps")
    _, even = await api.call("GET", MAPS, labelSelector="parity=even")
    _, one = await api.call("GET", MAPS, fieldSelector="metadata.name=c1")
    _, page = await api.call("GET", MAPS, limit="2")
    _, rest = await api.call("GET", MAPS, **{"limit": "2", "continue": page["metadata"]["continue"]})
    _, none = await api.call("GET", "/api/v1/namespaces/fairlead-system/configmaps")

    def names(listed: dict[str, Any]) -> list[str]:
        return [item["metadata"]["name"] for item in listed["items"]]

    assert all_of_them["kind"] == "ConfigMapList"
    assert names(all_of_them) == ["c0", "c1", "c2"]
    assert names(even) == ["c0", "c2"]
    assert names(one) == ["c1"]
    assert (names(page), page["metadata"]["remainingItemCount"], names(rest)) == (["c0", "c1"], 1, ["c2"])
    assert names(none) == []


async def test_names_can_be_generated(api: ApiServer) -> None:
    body = config_map("")
    body["metadata"] = {"generateName": "run-"}

    names = [(await api.call("POST", MAPS, body))[1]["metadata"]["name"] for _ in range(2)]

    assert all(name.startswith("run-") and len(name) == len("run-") + 5 for name in names)
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Iris", "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters"),
        ("a" * 254, "must be no more than 253 characters"),
        ("", "name or generateName is required"),
        ("a/b", "a lowercase RFC 1123 subdomain"),
    ],
)
async def test_names_follow_the_rules_of_kubernetes(api: ApiServer, name: str, message: str) -> None:
    body = sdep(name)

    code, status = await api.call("POST", SDEPS, body)

    assert code == 422
    assert status["reason"] == "Invalid"
    assert message in status["message"]
    assert status["details"]["causes"][0]["field"] == "metadata.name"


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"apiVersion": "v2"}, 400, "the API version in the data (v2) does not match the expected API version"),
        ({"kind": "Other"}, 400, "the kind in the data (Other) does not match the expected kind (SeldonDeployment)"),
        ({"metadata": {"name": "a", "namespace": "other"}}, 400, "the namespace of the provided object does not match"),
        ({"metadata": {"name": "a", "resourceVersion": "1"}}, 400, "resourceVersion should not be set"),
        ({"metadata": {"name": "a", "labels": {"a b": "c"}}}, 422, "metadata.labels: Invalid value"),
        ({"metadata": {"name": "a", "labels": {"a": "b c"}}}, 422, "a valid label must be an empty string or"),
        ({"metadata": {"name": "a", "labels": {"a": 1}}}, 422, "must be of type string"),
        ({"metadata": "a"}, 400, "metadata: expected an object"),
        ({"spec": {}}, 422, "spec.predictors: Required value"),
        ({"spec": {"predictors": "x"}}, 422, "spec.predictors in body must be of type array"),
        ({"spec": {"predictors": [], "name": "bad"}}, 422, 'admission webhook "v1.vseldondeployment.kb.io" denied the'),
    ],
)
async def test_a_bad_document_is_refused_with_the_reason(
    api: ApiServer, change: dict[str, Any], code: int, message: str
) -> None:
    found, status = await api.call("POST", SDEPS, {**sdep("a"), **change})

    assert (found, status["code"], status["status"]) == (code, code, "Failure")
    assert message in status["message"]
    assert (await api.call("GET", SDEPS))[1]["items"] == []


@pytest.mark.parametrize(
    ("body", "type_", "code", "reason"),
    [
        ("{", "application/json", 400, "BadRequest"),
        ("[]", "application/json", 400, "BadRequest"),
        ('{"a": NaN}', "application/json", 400, "BadRequest"),
        ("a: b: c", "application/yaml", 400, "BadRequest"),
        ("{}", "text/plain", 415, "UnsupportedMediaType"),
        ("[" * 5000, "application/json", 400, "BadRequest"),
        ('{"spec":' * 900 + "1" + "}" * 900, "application/json", 400, "BadRequest"),
        ("x" * (3 * 1024 * 1024 + 1), "application/json", 413, "RequestEntityTooLarge"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(
    api: ApiServer, body: str, type_: str, code: int, reason: str
) -> None:
    found, status = await api.call("POST", SDEPS, body, type_=type_)

    assert (found, status["reason"]) == (code, reason)


async def test_a_secrets_value_is_in_no_refusal(api: ApiServer) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "hunter2!"}}
    texts = []
    for body in (secret, json.dumps(secret)[:-2], {**secret, "data": {"bad key": "aHVudGVyMg=="}}):
        code, status = await api.call("POST", "/api/v1/namespaces/default/secrets", body)
        assert code in (400, 422)
        texts.append(json.dumps(status))

    assert not any("hunter2" in text or "aHVudGVyMg" in text for text in texts)


async def test_yaml_is_read_under_kubernetes_rules(api: ApiServer) -> None:
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: 'on'}\n"

    code, created = await api.call("POST", MAPS, body, type_="application/yaml")

    assert (code, created["data"]) == (201, {"a": "on"})


async def test_unknown_fields_are_dropped_warned_of_or_refused_as_asked(api: ApiServer) -> None:
    body = sdep("iris", replica=3)
    async with api.http.post(api.url + SDEPS, json=body) as response:
        warning, created = response.headers["warning"], await response.json()
    ignored_code, _ = await api.call("POST", SDEPS, sdep("b", replica=3), fieldValidation="Ignore")
    strict_code, strict = await api.call("POST", SDEPS, sdep("c", replica=3), fieldValidation="Strict")
    nonsense_code, _ = await api.call("POST", SDEPS, sdep("d"), fieldValidation="Perhaps")

    assert warning == '299 - "unknown field \\"spec.replica\\"; did you mean replicas?"'
    assert "replica" not in created["spec"]
    assert (ignored_code, strict_code, nonsense_code) == (201, 400, 400)
    assert strict["message"] == (
        'SeldonDeployment in version "v1" cannot be handled as a SeldonDeployment: '
        'strict decoding error: unknown field "spec.replica"; did you mean replicas?'
    )


async def test_every_version_shows_the_same_object_under_its_own_name(api: ApiServer) -> None:
    old = SDEPS.replace("/v1/", "/v1alpha2/")
    await api.call("POST", old, {**sdep("iris"), "apiVersion": "machinelearning.seldon.io/v1alpha2"})

    versions = []
    for version in ("v1", "v1alpha2", "v1alpha3"):
        _, listed = await api.call("GET", SDEPS.replace("/v1/", f"/{version}/"))
        versions.append((listed["apiVersion"], listed["items"][0]["apiVersion"]))

    expected = [f"machinelearning.seldon.io/{version}" for version in ("v1", "v1alpha2", "v1alpha3")]
    assert versions == [(version, version) for version in expected]


async def test_patches_of_each_kind(api: ApiServer) -> None:
    await api.call("POST", SDEPS, sdep("iris"))
    place = f"{SDEPS}/iris"

    _, merged = await api.call("PATCH", place, {"metadata": {"labels": {"a": "b"}}}, type_=MERGE)
    _, patched = await api.call("PATCH", place, [{"op": "remove", "path": "/metadata/labels/a"}], type_=JSON_PATCH)
    strategic_code, strategic = await api.call("PATCH", place, {"spec": {"replicas": 1}}, type_=STRATEGIC)
    failed_code, _ = await api.call("PATCH", place, [{"op": "test", "path": "/kind", "value": "x"}], type_=JSON_PATCH)
    stale = {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 9}}
    stale_code, _ = await api.call("PATCH", place, stale, type_=MERGE)
    missing_code, _ = await api.call("PATCH", f"{SDEPS}/none", {}, type_=MERGE)

    assert merged["metadata"]["labels"] == {"a": "b"}
    assert patched["metadata"]["labels"] == {}
    assert strategic_code == 415
    assert strategic["message"].endswith(f"{JSON_PATCH}, {MERGE}, {APPLY}")
    assert (failed_code, stale_code, missing_code) == (422, 409, 404)


async def test_a_patch_that_changes_nothing_keeps_the_version(api: ApiServer) -> None:
    _, created = await api.call("POST", SDEPS, sdep("iris"))

    _, patched = await api.call("PATCH", f"{SDEPS}/iris", {"spec": created["spec"]}, type_=MERGE)

    assert patched == created


async def test_a_patch_cannot_change_what_belongs_to_the_server(api: ApiServer) -> None:
    _, created = await api.call("POST", SDEPS, sdep("iris"))
    lies = {"metadata": {"creationTimestamp": "1999-01-01T00:00:00Z", "generation": 99}, "status": {"state": "Lies"}}

    _, patched = await api.call("PATCH", f"{SDEPS}/iris", lies, type_=MERGE)
    renamed_code, _ = await api.call("PATCH", f"{SDEPS}/iris", {"metadata": {"name": "rose"}}, type_=MERGE)

    assert patched["metadata"]["creationTimestamp"] == created["metadata"]["creationTimestamp"]
    assert patched["metadata"]["generation"] == 1
    assert "status" not in patched
    assert renamed_code == 400


async def test_server_side_apply_creates_merges_and_conflicts(api: ApiServer) -> None:
    place = f"{MAPS}/c"
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}

    created_code, _ = await api.call("PATCH", place, {**head, "data": {"a": "1"}}, type_=APPLY, fieldManager="alice")
    _, both = await api.call("PATCH", place, {**head, "data": {"b": "2"}}, type_=APPLY, fieldManager="bob")
    wish = {**head, "data": {"a": "3"}}
    refused_code, refused = await api.call("PATCH", place, wish, type_=APPLY, fieldManager="carol")
    _, forced = await api.call("PATCH", place, wish, type_=APPLY, fieldManager="carol", force="true")
    nobody_code, _ = await api.call("PATCH", place, wish, type_=APPLY)

    assert (created_code, refused_code, nobody_code) == (201, 409, 400)
    assert both["data"] == {"a": "1", "b": "2"}
    assert refused["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "alice" using v1', "field": ".data.a"}
    ]
    assert forced["data"] == {"a": "3", "b": "2"}


async def test_a_partial_apply_of_an_existing_object_needs_no_required_fields(api: ApiServer) -> None:
    await api.call("POST", SDEPS, sdep("iris"))
    head = {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", "metadata": {"name": "iris"}}

    code, applied = await api.call(
        "PATCH", f"{SDEPS}/iris", {**head, "spec": {"replicas": 5}}, type_=APPLY, fieldManager="scaler"
    )
    missing_code, _ = await api.call(
        "PATCH", f"{SDEPS}/none", {**head, "metadata": {"name": "none"}}, type_=APPLY, fieldManager="x"
    )

    assert (code, applied["spec"]["replicas"]) == (200, 5)
    assert missing_code == 422


async def test_status_is_written_apart_from_the_rest(api: ApiServer) -> None:
    _, created = await api.call("POST", SDEPS, sdep("iris"))
    created["spec"]["replicas"] = 9
    created["status"] = {"state": "Available"}

    _, written = await api.call("PUT", f"{SDEPS}/iris/status", created)
    _, patched = await api.call("PATCH", f"{SDEPS}/iris/status", {"status": {"replicas": 2}}, type_=MERGE)

    assert "replicas" not in written["spec"]
    assert patched["status"] == {"state": "Available", "replicas": 2}
    assert patched["metadata"]["generation"] == 1
    managers = {entry["subresource"] for entry in patched["metadata"]["managedFields"] if "subresource" in entry}
    assert managers == {"status"}


async def test_scale_reads_and_writes_one_number(api: ApiServer) -> None:
    await api.call("POST", SDEPS, sdep("iris", replicas=2))
    place = f"{SDEPS}/iris/scale"

    _, scale = await api.call("GET", place)
    scale["spec"]["replicas"] = 3
    _, put = await api.call("PUT", place, scale)
    _, patched = await api.call("PATCH", place, {"spec": {"replicas": 4}}, type_=MERGE)
    stale_code, _ = await api.call("PUT", place, scale)
    negative_code, _ = await api.call("PATCH", place, {"spec": {"replicas": -1}}, type_=MERGE)
    none_code, _ = await api.call("GET", f"{MAPS}/c/scale")

    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (put["spec"]["replicas"], patched["spec"]["replicas"]) == (3, 4)
    assert (stale_code, negative_code, none_code) == (409, 422, 404)
    _, document = await api.call("GET", f"{SDEPS}/iris")
    assert (document["spec"]["replicas"], document["metadata"]["generation"]) == (4, 3)


async def test_a_dry_run_answers_as_if_and_stores_nothing(api: ApiServer) -> None:
    created_code, _ = await api.call("POST", SDEPS, sdep("iris"), dryRun="All")
    await api.call("POST", SDEPS, sdep("kept"))
    _, patched = await api.call("PATCH", f"{SDEPS}/kept", {"spec": {"replicas": 4}}, type_=MERGE, dryRun="All")
    deleted_code, _ = await api.call("DELETE", f"{SDEPS}/kept", dryRun="All")
    nonsense_code, _ = await api.call("POST", SDEPS, sdep("x"), dryRun="Some")

    _, listed = await api.call("GET", SDEPS)
    assert (created_code, deleted_code, nonsense_code) == (201, 200, 400)
    assert patched["spec"]["replicas"] == 4
    assert [item["metadata"]["name"] for item in listed["items"]] == ["kept"]
    assert "replicas" not in listed["items"][0]["spec"]


async def test_deletion_of_many_follows_the_selector(api: ApiServer) -> None:
    for name, team in (("a", "x"), ("b", "x"), ("c", "y")):
        await api.call("POST", MAPS, config_map(name, labels={"team": team}))

    _, deleted = await api.call("DELETE", MAPS, labelSelector="team=x")

    _, left = await api.call("GET", MAPS)
    assert [item["metadata"]["name"] for item in deleted["items"]] == ["a", "b"]
    assert [item["metadata"]["name"] for item in left["items"]] == ["c"]


async def test_deletion_keeps_its_preconditions_and_waits_for_finalizers(api: ApiServer) -> None:
    await api.call("POST", MAPS, config_map("a", finalizers=["example.com/x"]))

    wrong = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "other"}}
    refused_code, _ = await api.call("DELETE", f"{MAPS}/a", wrong)
    nonsense_code, _ = await api.call("DELETE", f"{MAPS}/a", propagationPolicy="Sometimes")
    code, marked = await api.call("DELETE", f"{MAPS}/a")
    await api.call("PATCH", f"{MAPS}/a", {"metadata": {"finalizers": None}}, type_=MERGE)
    gone_code, _ = await api.call("GET", f"{MAPS}/a")

    assert (refused_code, nonsense_code, code, gone_code) == (409, 400, 200, 404)
    assert marked["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:00Z"


async def test_tables_and_metadata_are_written_when_asked_for(api: ApiServer) -> None:
    await api.call("POST", SDEPS, sdep("iris"))

    async def get(path: str, accept: str) -> Any:
        async with api.http.get(api.url + path, headers={"accept": accept}) as response:
            return response.status, await response.json()

    _, table = await get(SDEPS, f"{TABLE},application/json")
    _, one = await get(f"{SDEPS}/iris", TABLE)
    _, partial = await get(f"{SDEPS}/iris", PARTIAL)
    _, partials = await get(SDEPS, PARTIAL_LIST)
    refused_code, refused = await get(SDEPS, "application/xml")
    only_protobuf, _ = await get(SDEPS, "application/vnd.kubernetes.protobuf")

    assert (table["kind"], [row["cells"][0] for row in table["rows"]]) == ("Table", ["iris"])
    assert one["rows"][0]["object"]["metadata"]["name"] == "iris"
    assert (partial["kind"], "spec" in partial) == ("PartialObjectMetadata", False)
    assert (partials["kind"], partials["items"][0]["kind"]) == ("PartialObjectMetadataList", "PartialObjectMetadata")
    assert (refused_code, refused["reason"], only_protobuf) == (406, "NotAcceptable", 406)


async def events_of(response: aiohttp.ClientResponse, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        return [json.loads(await response.content.readline()) for _ in range(count)]


async def test_a_watch_streams_changes_and_ends_with_its_time(api: ApiServer) -> None:
    _, created = await api.call("POST", MAPS, config_map("a"))
    since = created["metadata"]["resourceVersion"]
    params = {"watch": "1", "resourceVersion": since, "timeoutSeconds": "1"}

    async with api.http.get(api.url + MAPS, params=params) as response:
        await api.call("PATCH", f"{MAPS}/a", {"data": {"x": "y"}}, type_=MERGE)
        await api.call("DELETE", f"{MAPS}/a")
        events = await events_of(response, 2)
        rest = await response.content.read()

    assert [event["type"] for event in events] == ["MODIFIED", "DELETED"]
    assert events[0]["object"]["data"]["x"] == "y"
    assert rest == b""


async def test_a_watch_can_start_with_the_present_state_and_mark_its_end(api: ApiServer) -> None:
    await api.call("POST", MAPS, config_map("a"))
    params = {
        "watch": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }

    async with api.http.get(api.url + MAPS, params=params) as response:
        events = await events_of(response, 2)

    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_as_a_table_has_one_row_for_each_event(api: ApiServer) -> None:
    await api.call("POST", SDEPS, sdep("iris"))

    async with api.http.get(api.url + SDEPS, params={"watch": "1"}, headers={"accept": TABLE}) as response:
        (event,) = await events_of(response, 1)

    assert (event["type"], event["object"]["kind"]) == ("ADDED", "Table")
    assert event["object"]["rows"][0]["cells"][0] == "iris"


async def test_a_watch_from_the_future_or_a_forgotten_past_says_gone(api: ApiServer) -> None:
    async with api.http.get(api.url + MAPS, params={"watch": "1", "resourceVersion": "999999"}) as response:
        (event,) = await events_of(response, 1)

    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


async def test_a_watch_ends_when_the_store_ends_watches(api: ApiServer) -> None:
    async with api.http.get(api.url + MAPS, params={"watch": "1"}) as response:
        api.store.end_watches()
        async with asyncio.timeout(10):
            rest = await response.content.read()

    assert rest == b""


async def test_what_is_not_served_is_not_found_and_what_is_not_allowed_says_so(api: ApiServer) -> None:
    found = {
        path: (await api.call(method, path))[0]
        for method, path in [
            ("GET", "/apis/apps/v1/deployments"),
            ("GET", "/api/v1/namespaces/default/services"),
            ("GET", "/api/v2/pods"),
            ("GET", "/nowhere"),
            ("GET", "/api/v1/configmaps/c"),
            ("GET", f"{MAPS}/c/status"),
            ("POST", "/api/v1/namespaces/default/pods"),
            ("PUT", MAPS),
        ]
    }

    assert list(found.values()) == [404, 404, 404, 404, 404, 404, 405, 405]


async def test_events_are_shown_in_both_groups_and_found_by_what_they_are_about(api: ApiServer) -> None:
    await api.call("POST", SDEPS, sdep("iris"))
    document = await api.store.get(SDEP, "default", "iris")
    await api.store.record_event(document, "Failed", "no such bucket", "Warning")
    selector = f"involvedObject.name=iris,involvedObject.uid={document['metadata']['uid']}"

    _, found = await api.call("GET", "/api/v1/namespaces/default/events", fieldSelector=selector)
    _, others = await api.call("GET", "/api/v1/events", fieldSelector="involvedObject.name=rose")
    _, newer = await api.call("GET", "/apis/events.k8s.io/v1/events")
    code, refused = await api.call("GET", "/api/v1/events", fieldSelector="spec.x=y")

    assert [event["message"] for event in found["items"]] == ["no such bucket"]
    assert others["items"] == []
    assert newer["items"][0]["note"] == "no such bucket"
    assert newer["items"][0]["regarding"]["name"] == "iris"
    assert (code, "field label not supported: spec.x" in refused["message"]) == (400, True)


async def test_logs_are_asked_for_in_kubectls_words(api: ApiServer, logs: ListedLogs) -> None:
    owner = await api.store.create(SDEP, sdep("iris"))
    metadata = {"name": "p", "namespace": "default", "uid": "u", "ownerReferences": [owner_of(owner)]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": "model"}]}}
    await api.store.mirror(POD, [pod], owner_uid=owner["metadata"]["uid"])
    logs.lines[("default", "p")] = ["one", "two", "three"]
    place = f"{api.url}/api/v1/namespaces/default/pods/p/log"

    params = {"tailLines": "2", "limitBytes": "6", "sinceSeconds": "60", "timestamps": "true", "previous": "true"}
    async with api.http.get(place, params=params) as response:
        text = await response.text()
    async with api.http.get(place, params={"container": "other"}) as response:
        refused = await response.json()
    missing_code, _ = await api.call("GET", "/api/v1/namespaces/default/pods/none/log")

    (query,) = logs.asked
    assert text == "two\nth"
    assert (query.tail_lines, query.timestamps, query.previous, query.follow) == (2, True, True, False)
    assert query.since is not None
    assert query.since.isoformat() == "2025-12-31T23:59:00+00:00"
    assert "container other is not valid for pod p, choose one of: [model]" in refused["message"]
    assert missing_code == 404


async def test_the_core_kinds_get_their_defaults_and_their_checks(api: ApiServer) -> None:
    base = "/api/v1/namespaces/default"
    metadata = {"name": "x"}

    _, secret = await api.call("POST", f"{base}/secrets", {"metadata": metadata, "stringData": {"a": "b"}})
    tls_code, tls = await api.call("POST", f"{base}/secrets", {"metadata": {"name": "t"}, "type": "kubernetes.io/tls"})
    retyped_code, _ = await api.call("PATCH", f"{base}/secrets/x", {"type": "Other"}, type_=MERGE)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    _, claim = await api.call("POST", f"{base}/persistentvolumeclaims", {"metadata": metadata, "spec": spec})
    empty_code, empty = await api.call(
        "POST", f"{base}/persistentvolumeclaims", {"metadata": {"name": "y"}, "spec": {}}
    )
    await api.call("POST", MAPS, {**config_map("fixed"), "immutable": True})
    fixed_code, fixed = await api.call("PATCH", f"{MAPS}/fixed", {"data": {"key": "x"}}, type_=MERGE)

    assert (secret["type"], secret["data"], "stringData" in secret) == ("Opaque", {"a": "Yg=="}, False)
    assert (tls_code, [cause["field"] for cause in tls["details"]["causes"]]) == (
        422,
        ["data[tls.crt]", "data[tls.key]"],
    )
    assert retyped_code == 422
    assert claim["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    assert (empty_code, len(empty["details"]["causes"])) == (422, 2)
    assert (fixed_code, "field is immutable" in fixed["message"]) == (422, True)


async def test_discovery_lists_every_kind_in_both_ways(api: ApiServer) -> None:
    _, core = await api.call("GET", "/api")
    _, groups = await api.call("GET", "/apis")
    _, group = await api.call("GET", "/apis/machinelearning.seldon.io")
    _, kinds = await api.call("GET", "/apis/machinelearning.seldon.io/v1alpha3")
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    async with api.http.get(f"{api.url}/apis", headers={"accept": accept}) as response:
        content_type, aggregated = response.headers["content-type"], await response.json()
    missing_code, _ = await api.call("GET", "/apis/nowhere.io")

    assert core["versions"] == ["v1"]
    assert "machinelearning.seldon.io" in [entry["name"] for entry in groups["groups"]]
    assert group["preferredVersion"]["version"] == "v1"
    assert [entry["name"] for entry in kinds["resources"]] == [
        "seldondeployments",
        "seldondeployments/status",
        "seldondeployments/scale",
    ]
    assert "as=APIGroupDiscoveryList" in content_type
    listed = {item["metadata"]["name"]: item for item in aggregated["items"]}
    resource = listed["machinelearning.seldon.io"]["versions"][0]["resources"][0]
    assert (resource["scope"], resource["shortNames"]) == ("Namespaced", ["sdep"])
    assert [below["subresource"] for below in resource["subresources"]] == ["status", "scale"]
    assert missing_code == 404


async def test_openapi_describes_the_kinds_and_is_kept_by_its_tag(api: ApiServer) -> None:
    _, v2 = await api.call("GET", "/openapi/v2")
    _, index = await api.call("GET", "/openapi/v3")
    place = index["paths"]["apis/machinelearning.seldon.io/v1"]["serverRelativeURL"]
    async with api.http.get(api.url + place) as response:
        tag, v3 = response.headers["etag"], await response.json()
    async with api.http.get(api.url + place, headers={"if-none-match": tag}) as response:
        kept = response.status
    missing_code, _ = await api.call("GET", "/openapi/v3/apis/nowhere.io/v1")

    name = "io.seldon.machinelearning.v1.SeldonDeployment"
    assert "predictors" in v2["definitions"][name]["properties"]["spec"]["properties"]
    assert "predictors" in v3["components"]["schemas"][name]["properties"]["spec"]["properties"]
    patch = v3["paths"][f"{SDEPS.replace('default', '{namespace}')}/{{name}}"]["patch"]
    assert {"dryRun", "fieldValidation", "force"} <= {parameter["name"] for parameter in patch["parameters"]}
    assert (kept, missing_code) == (304, 404)


async def test_health_and_version_answer(api: ApiServer) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        async with api.http.get(api.url + path) as response:
            assert (response.status, await response.text()) == (200, "ok")
    _, version = await api.call("GET", "/version")

    assert (version["major"], version["minor"]) == ("1", "32")


async def test_discovery_and_the_version_answer_with_a_slash_at_the_end(api: ApiServer) -> None:
    for path in ("/version", "/api", "/apis", "/apis/machinelearning.seldon.io", "/api/v1", f"/apis/{SDEP.group}/v1"):
        assert await api.call("GET", f"{path}/") == await api.call("GET", path)


async def test_reviews_of_access_allow_everything(api: ApiServer) -> None:
    spec = {"resourceAttributes": {"verb": "create", "resource": "pods"}}

    code, review = await api.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": spec})
    get_code, _ = await api.call("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")

    assert (code, review["status"]["allowed"], review["spec"]) == (201, True, spec)
    assert get_code == 405


async def test_a_thousand_objects_are_applied_in_seconds(api: ApiServer) -> None:
    async def apply(number: int) -> int:
        body = sdep(f"iris-{number}")
        code, _ = await api.call("PATCH", f"{SDEPS}/iris-{number}", body, type_=APPLY, fieldManager="test")
        return code

    async with asyncio.timeout(30):
        codes = await asyncio.gather(*(apply(number) for number in range(1000)))

    _, listed = await api.call("GET", SDEPS)
    assert set(codes) == {201}
    assert len(listed["items"]) == 1000
