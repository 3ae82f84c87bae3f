"""Repositories over the API: what clients need of the answers, and what Yatai never had."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.registry_server import Http

BASE = {"uid", "created_at", "updated_at", "deleted_at", "name", "resource_type", "labels"}


@pytest.mark.parametrize("kind", ["model", "bento"])
def test_a_new_repository_has_every_key_that_clients_need(http: Http, name: str, kind: str) -> None:
    made = http.ok("POST", f"/api/v1/{kind}_repositories", {"name": name, "description": ""})

    assert {*BASE, "description", f"latest_{kind}", "creator", "organization"} <= made.keys()
    assert made["resource_type"] == f"{kind}_repository"
    assert made["labels"] == []
    assert made[f"latest_{kind}"] is None
    assert made["created_at"].endswith("Z")
    assert http.ok("GET", f"/api/v1/{kind}_repositories/{name}") == made


def test_of_two_clients_that_make_a_repository_at_once_both_get_it(http: Http, name: str) -> None:
    asked = [http.by(http.token) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda each: each.ok("POST", "/api/v1/bento_repositories", {"name": name}), asked))

    assert len({each["uid"] for each in made}) == 1


def test_nulls_are_as_good_as_nothing(http: Http, name: str) -> None:
    made = http.ok("POST", "/api/v1/model_repositories", {"name": name, "description": None, "labels": None})

    assert (made["description"], made["labels"]) == ("", [])


def test_description_labels_and_rules_change_and_the_rest_stays(http: Http, name: str) -> None:
    path = f"/api/v1/model_repositories/{name}"
    http.ok("POST", "/api/v1/model_repositories", {"name": name, "labels": [{"key": "team", "value": "a"}]})

    changed = http.ok("PATCH", path, {"description": "# Hello"})
    ruled = http.ok("PATCH", path, {"rules": {"keep_last": 3, "keep_labelled": ["stage=prod"]}})

    assert (changed["description"], changed["labels"]) == ("# Hello", [{"key": "team", "value": "a"}])
    assert ruled["description"] == "# Hello"
    assert ruled["rules"] == {
        "keep_last": 3,
        "max_age_days": None,
        "keep_labelled": ["stage=prod"],
        "is_immutable": False,
    }


@pytest.mark.parametrize("rules", [{"keep_last": 0}, {"max_age_days": -1}, {"keep_last": "many"}])
def test_rules_that_mean_nothing_are_refused(http: Http, name: str, rules: dict[str, object]) -> None:
    http.ok("POST", "/api/v1/model_repositories", {"name": name})

    assert http("PATCH", f"/api/v1/model_repositories/{name}", {"rules": rules}).status_code == 400


@pytest.mark.parametrize("bad", ["", "Upper", "-x", "x/y", "a" * 64, "ü"])
def test_names_that_are_no_tags_are_refused(http: Http, bad: str) -> None:
    assert http("POST", "/api/v1/model_repositories", {"name": bad}).status_code == 400


def test_lists_are_found_by_name_creator_and_label(http: Http, name: str) -> None:
    labels = [{"key": "suite", "value": name}]
    for number in range(3):
        http.ok("POST", "/api/v1/model_repositories", {"name": f"{name[:40]}-{number}", "labels": labels})

    found = http.ok("GET", "/api/v1/model_repositories", params={"q": f"label:suite={name} creator:@me", "count": 2})
    others = http.ok("GET", "/api/v1/model_repositories", params={"q": f"label:suite={name} creator:nobody"})

    assert (found["total"], found["start"], found["count"], len(found["items"])) == (3, 0, 2, 2)
    assert [item["name"][-1] for item in found["items"]] == ["2", "1"]
    assert others["items"] == []


def test_a_deleted_repository_is_gone(http: Http, name: str) -> None:
    http.ok("POST", "/api/v1/bento_repositories", {"name": name})

    http.ok("DELETE", f"/api/v1/bento_repositories/{name}")

    assert http("GET", f"/api/v1/bento_repositories/{name}").status_code == 404
    assert http("DELETE", f"/api/v1/bento_repositories/{name}").status_code == 404


def test_an_alias_points_and_is_moved_and_taken_away(http: Http, name: str) -> None:
    path = f"/api/v1/model_repositories/{name}"
    http.ok("POST", "/api/v1/model_repositories", {"name": name})
    for version in ("v1", "v2"):
        http.ok("POST", f"{path}/models", {"version": version})

    http.ok("PUT", f"{path}/aliases/stable", {"version": "v1"})
    before = http.ok("GET", f"{path}/models/stable")
    http.ok("PUT", f"{path}/aliases/stable", {"version": "v2"})
    after = http.ok("GET", f"{path}/models/stable")
    http.ok("DELETE", f"{path}/aliases/stable")

    assert (before["version"], after["version"], after["aliases"]) == ("v1", "v2", ["stable"])
    assert http.ok("GET", f"{path}/aliases") == []
    assert http("GET", f"{path}/models/stable").status_code == 404


def test_force_is_yes_or_no(http: Http, name: str) -> None:
    http.ok("POST", "/api/v1/model_repositories", {"name": name})

    assert http("DELETE", f"/api/v1/model_repositories/{name}?force=maybe").status_code == 400
