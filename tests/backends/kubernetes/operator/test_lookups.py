"""Who is looked at again when something changes."""

from typing import Any

from fairlead.backends.kubernetes.operator.cache import Cache, Change
from fairlead.backends.kubernetes.operator.lookups import Followers, Look, Watching, is_material
from fairlead.backends.kubernetes.operator.resources import CONFIG_MAP, SECRET, ObjectKey, TypeKey

RUNTIME = TypeKey("serving.kserve.io", "ClusterServingRuntime")
ME = ObjectKey("serving.kserve.io", "InferenceService", "default", "me")


def world(cache: Cache) -> Watching:
    kinds = {"ConfigMap": CONFIG_MAP.key, "ClusterServingRuntime": RUNTIME}
    return Watching(cache, kinds, frozenset({"ClusterServingRuntime"}))


def config_map(name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_a_look_finds_what_is_there_and_is_remembered_either_way() -> None:
    cache = Cache({CONFIG_MAP.key, RUNTIME}, set())
    cache.take(CONFIG_MAP.key, config_map("here"))
    looking = world(cache)

    assert looking.get("ConfigMap", "default", "here") is not None
    assert looking.get("ConfigMap", "default", "missing") is None
    assert looking.get("Unknown", "default", "x") is None

    followers = Followers()
    followers.follow(ME, frozenset(looking.looks))
    assert followers.of(ObjectKey("", "ConfigMap", "default", "missing")) == {ME}
    assert followers.of(ObjectKey("", "ConfigMap", "other", "missing")) == set()


def test_who_lists_a_kind_depends_on_all_of_it() -> None:
    looking = world(Cache(set(), set()))
    looking.list("ConfigMap", "default")
    looking.list("ClusterServingRuntime", "default")

    followers = Followers()
    followers.follow(ME, frozenset(looking.looks))

    assert followers.of(ObjectKey("", "ConfigMap", "default", "any")) == {ME}
    assert followers.of(ObjectKey("", "ConfigMap", "other", "any")) == set()
    assert followers.of(ObjectKey(*RUNTIME, "", "any")) == {ME}


def test_nobody_follows_what_it_does_not_look_at_any_more() -> None:
    followers = Followers()
    followers.follow(ME, frozenset({Look("Secret", "default", "old"), Look("Secret", "default", "kept")}))
    followers.follow(ME, frozenset({Look("Secret", "default", "kept")}))

    assert followers.of(ObjectKey(*SECRET.key, "default", "old")) == set()
    assert followers.of(ObjectKey(*SECRET.key, "default", "kept")) == {ME}


def test_nobody_follows_itself() -> None:
    followers = Followers()
    followers.follow(ME, frozenset({Look("InferenceService", "default", "*")}))

    assert followers.of(ME) == set()


def test_a_status_matters_only_where_it_is_read() -> None:
    before = config_map("a") | {"status": {"is": 1}}
    after = config_map("a") | {"status": {"is": 2}}
    change = Change(ObjectKey("", "ConfigMap", "default", "a"), before, after)

    assert is_material(change, with_status=True)
    assert not is_material(change, with_status=False)
    assert is_material(Change(change.key, None, after), with_status=False)
