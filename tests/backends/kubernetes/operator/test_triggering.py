"""What is looked at when something changes."""

from typing import Any

from fairlead.backends.kubernetes.operator.cache import Cache, Change
from fairlead.backends.kubernetes.operator.lookups import Followers, Look
from fairlead.backends.kubernetes.operator.resources import CONFIG_MAP, DEPLOYMENT, NAMESPACE, ObjectKey
from fairlead.backends.kubernetes.operator.triggering import Triggers
from support.operators import FOLLOWED, sdep

KEY = ObjectKey("machinelearning.seldon.io", "SeldonDeployment", "default", "iris")
KIND = KEY.type


class Heard:
    """Triggers, and what they asked for."""

    def __init__(self) -> None:
        self.keys: list[ObjectKey] = []
        self.at_leisure: list[ObjectKey] = []
        self.followers = Followers()
        self.cache = Cache({KIND}, {KIND.group})
        self.triggers = Triggers(
            cache=self.cache,
            followed={one.type.key: one for one in FOLLOWED},
            followers=self.followers,
            enqueue=self.keys.append,
            at_leisure=self.at_leisure.append,
        )


def change(kind: Any, name: str, after: dict[str, Any] | None, before: dict[str, Any] | None = None) -> Change:
    namespace = "" if kind is NAMESPACE else "default"
    return Change(ObjectKey(kind.group, kind.kind, namespace, name), before, after)


def test_a_resource_that_changes_is_looked_at() -> None:
    heard = Heard()

    heard.triggers.hear(Change(KEY, None, sdep()))

    assert heard.keys == [KEY]


def test_a_resource_is_looked_at_when_what_it_owns_changes_or_goes() -> None:
    heard = Heard()
    reference = {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", "controller": True}
    owned = {"metadata": {"name": "d", "ownerReferences": [{**reference, "name": "iris", "uid": "u"}]}}

    heard.triggers.hear(change(DEPLOYMENT, "d", owned))
    heard.triggers.hear(change(DEPLOYMENT, "d", None, owned))

    assert heard.keys == [KEY, KEY]


def test_who_looked_at_something_looks_again_when_it_changes() -> None:
    heard = Heard()
    heard.followers.follow(KEY, frozenset({Look("ConfigMap", "default", "settings")}))

    heard.triggers.hear(change(CONFIG_MAP, "settings", {"metadata": {}, "data": {"a": "b"}}))
    heard.triggers.hear(change(CONFIG_MAP, "other", {"metadata": {}}))

    assert heard.keys == [KEY]


def test_what_we_write_ourselves_is_not_news_to_its_own() -> None:
    heard = Heard()

    heard.triggers.hear_own(Change(KEY, sdep(), {**sdep(), "status": {"state": "Available"}}))

    assert heard.keys == []


def test_the_labels_of_a_namespace_are_news_to_what_is_in_it() -> None:
    heard = Heard()
    doc = sdep()
    doc["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    heard.cache.take(KIND, doc)
    before, after = ({"metadata": {"name": "default", "labels": labels}} for labels in ({}, {"a": "b"}))

    heard.triggers.hear(change(NAMESPACE, "default", after, before))

    assert heard.keys == [KEY]


def test_everything_can_wait_for_what_is_new() -> None:
    heard = Heard()
    doc = sdep()
    doc["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    heard.cache.take(KIND, doc)

    heard.triggers.everything()

    assert (heard.at_leisure, heard.keys) == ([KEY], [])
