"""What is known of the cluster, however news of it come."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.operator.cache import Cache, is_newer
from fairlead.backends.kubernetes.operator.resources import CONFIG_MAP, DEPLOYMENT, SECRET, ObjectKey

Document = dict[str, Any]
GROUP = "machinelearning.seldon.io"


def cache() -> Cache:
    return Cache({CONFIG_MAP.key, SECRET.key}, {GROUP})


def config_map(version: int, uid: str = "one", name: str = "settings", **data: str) -> Document:
    metadata = {"name": name, "namespace": "default", "uid": uid, "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(version: int, owner: str = "", group: str = GROUP) -> Document:
    metadata: Document = {"name": "d", "namespace": "default", "uid": "d", "resourceVersion": str(version)}
    if owner:
        reference = {"apiVersion": f"{group}/v1", "kind": "SeldonDeployment", "name": "iris", "uid": owner}
        metadata["ownerReferences"] = [{**reference, "controller": True}]
    metadata["managedFields"] = [{"manager": "somebody"}]
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1}}


KEY = ObjectKey("", "ConfigMap", "default", "settings")


def test_older_news_are_no_news() -> None:
    known = cache()
    known.take(CONFIG_MAP.key, config_map(5, a="new"))

    assert known.take(CONFIG_MAP.key, config_map(4, a="old")) is None
    assert known.take(CONFIG_MAP.key, config_map(5, a="new")) is None
    assert (known.get(KEY) or {})["data"] == {"a": "new"}


def test_a_list_brings_nothing_back_that_was_deleted_after_it_was_made() -> None:
    known = cache()
    known.take(CONFIG_MAP.key, config_map(5))
    known.drop(KEY, "one")

    changes = list(known.replace(CONFIG_MAP.key, [config_map(5)], namespace=None, version="6"))

    assert changes == []
    assert known.get(KEY) is None


def test_a_list_tells_what_is_gone_and_leaves_what_came_after_it() -> None:
    known = cache()
    known.take(CONFIG_MAP.key, config_map(5))
    known.take(CONFIG_MAP.key, config_map(9, "two", "later"))

    (change,) = known.replace(CONFIG_MAP.key, [], namespace=None, version="7")

    assert (change.key, change.after) == (KEY, None)
    assert known.get(ObjectKey("", "ConfigMap", "default", "later")) is not None


def test_an_object_of_another_uid_is_another_object() -> None:
    known = cache()
    known.take(CONFIG_MAP.key, config_map(5))

    assert known.take(CONFIG_MAP.key, config_map(2, "two")) is not None
    assert known.drop(KEY, "one") is None
    assert known.get(KEY) is not None


def test_what_is_nobodys_of_ours_is_not_kept() -> None:
    known = cache()

    assert known.take(DEPLOYMENT.key, deployment(1)) is None
    assert known.take(DEPLOYMENT.key, deployment(2, "u", group="apps")) is None
    assert known.count() == 0


def test_owned_objects_are_found_by_their_owner_without_who_manages_what() -> None:
    known = cache()
    known.take(DEPLOYMENT.key, deployment(1, "owner"))

    (doc,) = known.owned("owner").values()

    assert "managedFields" not in doc["metadata"]
    known.take(DEPLOYMENT.key, deployment(2))
    assert known.owned("owner") == {}


def test_a_kind_that_is_not_served_any_more_has_no_objects() -> None:
    known = cache()
    known.take(CONFIG_MAP.key, config_map(1))

    known.clear(CONFIG_MAP.key)

    assert known.list(CONFIG_MAP.key) == []


_EVENTS = st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.sampled_from(["one", "two"])), max_size=8)


@given(_EVENTS, st.randoms(use_true_random=False))
def test_repeated_and_late_news_do_not_change_the_end(events: list[tuple[bool, int, str]], random: Any) -> None:
    """Of one object that lives, whatever order its versions come in, the newest stands."""
    versions = [version for _, version, uid in events if uid == "one"]
    shuffled = [*versions, *versions]
    random.shuffle(shuffled)
    known = cache()
    for version in shuffled:
        known.take(CONFIG_MAP.key, config_map(version))

    assert known.version(KEY) == (str(max(versions)) if versions else "")


def test_versions_are_compared_as_numbers_where_they_are() -> None:
    assert is_newer("10", "9")
    assert not is_newer("9", "10")
    assert is_newer("abc", "abd")
    assert not is_newer("abc", "abc")
