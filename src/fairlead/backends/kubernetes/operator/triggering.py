"""What a change of one object means for others: which resources of ours have to be looked at.

Pure but for the queue that it fills.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fairlead.backends.kubernetes.operator.cache import Cache, Change
from fairlead.backends.kubernetes.operator.followed import Followed
from fairlead.backends.kubernetes.operator.lookups import Followers, is_material
from fairlead.backends.kubernetes.operator.ownership import controller_of
from fairlead.backends.kubernetes.operator.resources import NAMESPACE, ObjectKey, TypeKey


@dataclass(slots=True, kw_only=True)
class Triggers:
    """`enqueue` is called with what has to be looked at, `at_leisure` with what can wait for that."""

    cache: Cache
    followed: Mapping[TypeKey, Followed]
    followers: Followers
    enqueue: Callable[[ObjectKey], None]
    at_leisure: Callable[[ObjectKey], None]

    def hear(self, change: Change) -> None:
        """The cluster says that an object is another one."""
        if change.key.type in self.followed:
            self.enqueue(change.key)
        owner = self._owner(change)
        if owner is not None:
            self.enqueue(owner)
        self.hear_own(change)
        if change.key.type == NAMESPACE.key and is_material(change, with_status=False):
            self._look_into(change.key.name)

    def hear_own(self, change: Change) -> None:
        """We ourselves changed an object: it matters to those who look at it, and not to itself."""
        followed = self.followed.get(change.key.type)
        followers = self.followers.of(change.key)
        if followers and is_material(change, with_status=followed is not None and followed.kind.is_watched_with_status):
            for key in followers:
                self.enqueue(key)

    def hear_made(self, change: Change) -> None:
        """We ourselves made, changed or deleted an object beside another: one that is followed is to be looked at."""
        if change.key.type in self.followed:
            self.enqueue(change.key)
            self.hear_own(change)

    def everything(self) -> None:
        """Look at all there is."""
        for kind in self.followed:
            for key in list(self.cache.keys(kind)):
                self.at_leisure(key)

    def _owner(self, change: Change) -> ObjectKey | None:
        reference = controller_of(change.after or change.before or {"metadata": {}})
        if reference is None:
            return None
        kind = TypeKey(str(reference.get("apiVersion", "")).rpartition("/")[0], str(reference.get("kind", "")))
        followed = self.followed.get(kind)
        if followed is None:
            return None
        namespace = change.key.namespace if followed.kind.is_namespaced else ""
        return ObjectKey(*kind, namespace, str(reference.get("name", "")))

    def _look_into(self, namespace: str) -> None:
        """The labels of a namespace say whose its objects are."""
        for kind, followed in self.followed.items():
            if followed.controller_label:
                for key in list(self.cache.keys(kind)):
                    if key.namespace == namespace:
                        self.enqueue(key)
