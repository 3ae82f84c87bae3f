"""Models and bentos over the API, before any bytes: what is kept, what is answered, and in which order."""

import json
from typing import Any

import msgspec
import pytest

from support.registry_server import OLDEST, Http

# What every client reads; a key that is missing stops it.
RESOURCE = {"uid", "created_at", "updated_at", "deleted_at", "name", "resource_type", "labels"}
VERSION = RESOURCE | {
    "version",
    "description",
    "image_build_status",
    "upload_status",
    "upload_started_at",
    "upload_finished_at",
    "upload_finished_reason",
    "presigned_upload_url",
    "presigned_download_url",
    "transmission_strategy",
    "upload_id",
    "manifest",
    "build_at",
}
MANIFEST: dict[str, Any] = {
    "module": "bentoml.sklearn",
    "api_version": "v1",
    "bentoml_version": "1.4.39",
    "size_bytes": 1455,
    "metadata": {},
    "context": {},
    "options": {},
}
# Complete without any bytes, which are in somebody else's registry.
ELSEWHERE = MANIFEST | {"metadata": {"registry": "huggingface", "model_id": "gpt2", "revision": "main"}}


class _Described(msgspec.Struct):
    manifest: msgspec.Raw


def announce(http: Http, name: str, version: str, kind: str = "model", **more: Any) -> Any:
    path = f"/api/v1/{kind}_repositories"
    http.ok("POST", path, {"name": name, "description": ""})
    body = {"version": version, "description": "", "manifest": MANIFEST, **more}
    return http.ok("POST", f"{path}/{name}/{kind}s", body)


@pytest.mark.parametrize("kind", ["model", "bento"])
def test_a_new_version_has_every_key_that_clients_need(http: Http, name: str, kind: str) -> None:
    made = announce(http, name, "v1", kind, labels=[{"key": "owner", "value": "me"}], build_at="2026-01-31 12:00:00.5")

    assert made.keys() >= VERSION
    assert (made["name"], made["version"], made["resource_type"]) == ("v1", "v1", kind)
    assert (made["upload_status"], made["image_build_status"]) == ("pending", "pending")
    assert (made["presigned_upload_url"], made["presigned_download_url"]) == ("", "")
    assert made["labels"] == [{"key": "owner", "value": "me"}]
    assert made["build_at"] == "2026-01-31T12:00:00.500000Z"
    assert made["transmission_strategy"] == "proxy"
    assert made["creator"].keys() >= {"name", "email", "first_name", "last_name"}


@pytest.mark.parametrize("kind", ["model", "bento"])
def test_lists_hold_the_same_objects_and_some_their_repositories(http: Http, name: str, kind: str) -> None:
    made = announce(http, name, "v1", kind)
    path = f"/api/v1/{kind}_repositories/{name}"

    (listed,) = http.ok("GET", f"{path}/{kind}s")["items"]
    (everywhere,) = http.ok("GET", f"/api/v1/{kind}s", params={"search": name})["items"]
    shown = http.ok("GET", f"{path}/{kind}s/v1")
    repository = http.ok("GET", path)

    assert listed == made
    assert everywhere["repository"]["name"] == shown["repository"]["name"] == name
    assert repository[f"latest_{kind}"] == made


def test_a_manifest_comes_back_as_the_text_that_was_sent(http: Http, name: str) -> None:
    text = (
        '{"services": [{"name":"A", "config":{"x":1.0,"y":1e3,"z":-0}}],  "schema":null,"é":"\\u00e9\\n",'
        '"entry_service":"A","unknown to all":{"deep":[[[{}]]]},"size_bytes":12345678901234567890,"module":"m"}'
    )
    path = f"/api/v1/bento_repositories/{name}/bentos"
    http.ok("POST", "/api/v1/bento_repositories", {"name": name})
    http.ok("POST", path, data=f'{{"version":"v1","manifest":{text}}}'.encode())

    shown = http("GET", f"{path}/v1")
    changed = text.replace('"A"', '"B"')
    http.ok("PATCH", f"{path}/v1", data=f'{{"manifest":{changed}}}'.encode())

    assert bytes(msgspec.json.decode(shown.content, type=_Described).manifest).decode() == text
    again = http("GET", f"{path}/v1").content
    assert bytes(msgspec.json.decode(again, type=_Described).manifest).decode() == changed


def test_what_is_not_given_stays_when_a_version_changes(http: Http, name: str) -> None:
    announce(http, name, "v1", "bento", labels=[{"key": "a", "value": "1"}], description="hello")
    path = f"/api/v1/bento_repositories/{name}/bentos/v1"

    changed = http.ok("PATCH", path, {"labels": [{"key": "b", "value": "2"}], "description": None, "manifest": None})

    assert (changed["labels"], changed["description"]) == ([{"key": "b", "value": "2"}], "hello")
    assert changed["manifest"] == MANIFEST


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("2026-01-31 12:00:00.000000", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00.000000Z"),
    ],
)
def test_times_are_taken_with_a_zone_and_without(http: Http, name: str, given: str, told: str) -> None:
    assert announce(http, name, "v1", build_at=given)["build_at"] == told


@pytest.mark.parametrize("bad", ["yesterday", "2026-13-01", "9999999999999", "\u0000"])
def test_what_is_no_time_is_refused(http: Http, name: str, bad: str) -> None:
    http.ok("POST", "/api/v1/model_repositories", {"name": name})

    answer = http("POST", f"/api/v1/model_repositories/{name}/models", {"version": "v1", "build_at": bad})

    assert (answer.status_code, "build_at" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize("bad", ["", "latest", "a/b", "-a", "ü", "x" * 513])
def test_versions_that_are_no_tags_are_refused(http: Http, name: str, bad: str) -> None:
    http.ok("POST", "/api/v1/model_repositories", {"name": name})

    assert http("POST", f"/api/v1/model_repositories/{name}/models", {"version": bad}).status_code == 400


def test_the_newest_comes_first_and_is_latest(http: Http, name: str) -> None:
    for version, day in (("b", 2), ("c", 3), ("a", 1)):
        announce(http, name, version, build_at=f"2026-01-0{day} 00:00:00.000000", manifest=ELSEWHERE)
    path = f"/api/v1/model_repositories/{name}"

    listed = http.ok("GET", f"{path}/models", params={"start": "0", "count": "10", "q": ""})
    oldest_first = http.ok("GET", f"{path}/models", params={"q": "sort:build_at-asc", "start": 1, "count": 1})

    assert [item["version"] for item in listed["items"]] == ["c", "b", "a"]
    assert ([item["version"] for item in oldest_first["items"]], oldest_first["total"]) == (["b"], 3)
    assert http.saying(OLDEST).ok("GET", f"{path}/models/latest")["version"] == "c"
    assert http.ok("GET", path)["latest_model"]["version"] == "c"


def test_a_model_whose_bytes_are_elsewhere_is_complete_when_it_is_made(http: Http, name: str) -> None:
    made = announce(http, name, "v1", manifest=ELSEWHERE)

    assert (made["upload_status"], made["upload_finished_at"] is not None) == ("success", True)


def test_a_complete_version_is_not_made_again(http: Http, name: str) -> None:
    announce(http, name, "v1", manifest=ELSEWHERE)

    again = http("POST", f"/api/v1/model_repositories/{name}/models", {"version": "v1"})

    assert (again.status_code, "already exists" in again.json()["error"]) == (409, True)


def test_lists_are_filtered_by_label_module_and_creator(http: Http, name: str) -> None:
    announce(http, name, "v1", labels=[{"key": "stage", "value": "prod"}])
    announce(
        http, name, "v2", labels=[{"key": "stage", "value": "dev"}], manifest=MANIFEST | {"module": "bentoml.onnx"}
    )
    path = f"/api/v1/model_repositories/{name}/models"

    def found(q: str) -> list[str]:
        return [item["version"] for item in http.ok("GET", path, params={"q": q})["items"]]

    assert found("label:stage=prod") == ["v1"]
    assert found("-label:stage=prod") == ["v2"]
    assert found("label:stage") == ["v2", "v1"]
    assert found("module:bentoml.onnx") == ["v2"]
    assert found("creator:@me module:bentoml.sklearn") == ["v1"]
    assert found("creator:nobody") == []
    assert found("v1") == ["v1"]


def test_labels_and_modules_that_are_in_use_are_listed(http: Http, name: str) -> None:
    announce(http, name, "v1", labels=[{"key": name, "value": "x"}], manifest=MANIFEST | {"module": name})

    used = http.ok("GET", "/api/v1/labels", params={"resource_type": "model"})

    assert {"key": name, "values": ["x"]} in used
    assert all(each["key"] != name for each in http.ok("GET", "/api/v1/labels", params={"resource_type": "bento"}))
    assert name in http.ok("GET", "/api/v1/model_modules")


def test_models_and_bentos_are_linked_by_what_bentos_name(http: Http, name: str) -> None:
    model = f"{name[:50]}-m"
    announce(http, model, "v1")
    announce(http, name, "old", "bento", manifest={"models": [f"{model}:v1", "missing:v9"]})
    announce(http, name, "new", "bento", manifest={"services": [{"models": [{"tag": f"{model}:v1"}]}]})

    models = http.ok("GET", f"/api/v1/bento_repositories/{name}/bentos/old/models")
    bentos = http.ok("GET", f"/api/v1/model_repositories/{model}/models/v1/bentos")

    assert [item["repository"]["name"] for item in models["items"]] == [model]
    assert {item["version"] for item in bentos["items"]} == {"old", "new"}
    assert http.ok("GET", f"/api/v1/model_repositories/{model}/bentos")["total"] == 2


def test_what_a_bento_needs_is_not_deleted_unless_it_is_forced(http: Http, name: str) -> None:
    model = f"{name[:50]}-m"
    announce(http, model, "v1", manifest=ELSEWHERE)
    announce(http, name, "v1", "bento", manifest={"models": [f"{model}:v1"]})
    path = f"/api/v1/model_repositories/{model}/models/v1"

    refused = http("DELETE", path)
    http.ok("DELETE", f"{path}?force=true")

    assert (refused.status_code, f"{name}:v1" in refused.json()["error"]) == (409, True)
    assert http("GET", path).status_code == 404


def test_an_immutable_version_stays_as_it_is(http: Http, name: str) -> None:
    announce(http, name, "v1", manifest=ELSEWHERE)
    path = f"/api/v1/model_repositories/{name}/models/v1"

    fixed = http.ok("PATCH", path, {"is_immutable": True})

    assert fixed["is_immutable"] is True
    assert http("PATCH", path, {"manifest": MANIFEST}).status_code == 409
    assert http("DELETE", path).status_code == 409
    assert http.ok("PATCH", path, {"description": "may be told"})["description"] == "may be told"


def test_builders_of_images_find_what_nobody_looked_at_and_tell_what_became_of_it(http: Http, name: str) -> None:
    announce(http, name, "v1", "bento")
    path = f"/api/v1/bento_repositories/{name}/bentos/v1"
    unseen = "/api/v1/image_build_status_unsynced_bentos"

    before = [item["repository"]["name"] for item in http.ok("GET", unseen)]
    http.ok("PATCH", f"{path}/update_image_build_status_syncing_at")
    after = [item["repository"]["name"] for item in http.ok("GET", unseen)]
    told = http.ok("PATCH", f"{path}/update_image_build_status", {"image_build_status": "success"})

    assert (name in before, name in after) == (True, False)
    assert told["image_build_status"] == http.ok("GET", path)["image_build_status"] == "success"
    assert http("PATCH", f"{path}/update_image_build_status", {"image_build_status": "odd"}).status_code == 400


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
def test_a_change_without_a_body_is_one_of_nothing(http: Http, name: str, headers: dict[str, str]) -> None:
    made = announce(http, name, "v1", "bento")

    changed = http.ok("PATCH", f"/api/v1/bento_repositories/{name}/bentos/v1", headers=headers)

    assert json.dumps(changed["manifest"]) == json.dumps(made["manifest"])


def test_what_was_done_is_in_the_log(http: Http, name: str) -> None:
    announce(http, name, "v1")

    events = http.ok("GET", "/api/v1/events", params={"q": "resource_type:model operation_name:created", "count": 50})

    (event,) = [item for item in events["items"] if item["name"] == f"{name}:v1"]
    assert (event["operation_name"], event["status"], event["resource_type"]) == ("created", "success", "model")
    assert event["creator"]["name"] == "admin"
    assert "created" in http.ok("GET", "/api/v1/event_operation_names", params={"resource_type": "model"})
