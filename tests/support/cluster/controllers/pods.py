"""A node that runs every pod, each with the fate that the test gives it."""

from collections.abc import Callable
from enum import Enum
from typing import Any

from support.cluster import hands
from support.cluster.controllers.base import Controller
from support.cluster.state import State

Document = dict[str, Any]
NODE = "node-1"


class Fate(Enum):
    """What becomes of a pod."""

    UNSCHEDULABLE = "no node has room"
    STARTING = "its containers run and are not ready"
    READY = "ready"
    CRASH = "its first container ends with an error, again and again"
    OUT_OF_MEMORY = "its first container is killed for its memory"
    IMAGE_PULL = "its image cannot be pulled"
    INIT_FAILURE = "an init container fails, again and again"
    SUCCEEDED = "it ends well"
    FAILED = "it ends badly"


Choice = Callable[[Document], Fate | None]


class Pods(Controller):
    """Scheduler and kubelet."""

    key = ("", "pods")

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._choices: list[Choice] = []
        self.default = Fate.READY
        self.init_log = "failed to download the model"
        self.last_words = ""
        """What containers say when they end."""

    def meet(self, fate: Fate, *, name: str = "", labels: dict[str, str] | None = None) -> None:
        """From now on pods whose name begins so, with these labels, have this fate."""
        wanted = (labels or {}).items()

        def choose(pod: Document) -> Fate | None:
            has = (pod["metadata"].get("labels") or {}).items()
            return fate if pod["metadata"]["name"].startswith(name) and wanted <= has else None

        self._choices.insert(0, choose)

    def reconcile(self, document: Document) -> bool:
        """Bind it to the node, and report; one that ends is removed."""
        if hands.is_going(document):
            if document["metadata"].get("finalizers") or not document["spec"].get("nodeName"):
                return False
            self.state.remove(self.key, document)
            return True
        fate = next((found for choose in self._choices if (found := choose(document)) is not None), self.default)
        if fate is not Fate.UNSCHEDULABLE and not document["spec"].get("nodeName"):
            new = {**document, "spec": {**document["spec"], "nodeName": NODE}}
            return hands.change(self.state, self.resource, document, new, manager="kube-scheduler")
        return self._report(document, _STATUS[fate](self, document))

    def _report(self, document: Document, status: Document) -> bool:
        old = document.get("status") or {}
        kept = {key: old[key] for key in ("qosClass", "podIP", "podIPs", "startTime", "hostIP") if key in old}
        if document["spec"].get("nodeName") and "podIP" not in kept:
            ip = self.state.allocator.ip().replace("10.96.", "10.244.")
            kept |= {"podIP": ip, "podIPs": [{"ip": ip}], "startTime": self.state.now(), "hostIP": "192.168.0.1"}
        return hands.set_status(self.state, self.resource, document, {**status, **kept}, manager="kubelet")

    def _unschedulable(self, pod: Document) -> Document:
        text = "0/1 nodes are available: 1 Insufficient memory."
        condition = hands.condition(
            pod.get("status"), "PodScheduled", False, "Unschedulable", text, self.state.now(), lastProbeTime=None
        )
        return {"phase": "Pending", "conditions": [condition]}

    def _ready(self, pod: Document) -> Document:
        states = [self._running(item, is_ready=True) for item in pod["spec"]["containers"]]
        return self._status(pod, "Running", states, is_ready=True)

    def _starting(self, pod: Document) -> Document:
        states = [self._running(item, is_ready=False) for item in pod["spec"]["containers"]]
        return self._status(pod, "Running", states, is_ready=False)

    def _crash(self, pod: Document) -> Document:
        return self._crashing(pod, "Error", 1)

    def _out_of_memory(self, pod: Document) -> Document:
        return self._crashing(pod, "OOMKilled", 137)

    def _crashing(self, pod: Document, reason: str, code: int) -> Document:
        first, *rest = pod["spec"]["containers"]
        text = f"back-off 40s restarting failed container={first['name']}"
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
        ended = {"terminated": {"reason": reason, "exitCode": code}}
        crashed = _container(first, waiting, restarts=3) | {"lastState": ended}
        states = [crashed, *(self._running(item, is_ready=True) for item in rest)]
        return self._status(pod, "Running", states, is_ready=False)

    def _image_pull(self, pod: Document) -> Document:
        states = [
            _container(
                item,
                {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{item["image"]}"'}},
            )
            for item in pod["spec"]["containers"]
        ]
        return self._status(pod, "Pending", states, is_ready=False)

    def _init_failure(self, pod: Document) -> Document:
        inits = pod["spec"].get("initContainers") or ()
        if not inits:
            return self._ready(pod)
        text = f"back-off 40s restarting failed container={inits[0]['name']}"
        ended = {"terminated": {"reason": "Error", "exitCode": 1, "message": self.init_log}}
        failed = _container(inits[0], {"waiting": {"reason": "CrashLoopBackOff", "message": text}}, restarts=3)
        waiting = {"waiting": {"reason": "PodInitializing"}}
        later = [_container(item, waiting) for item in inits[1:]]
        states = [_container(item, waiting) for item in pod["spec"]["containers"]]
        status = self._status(pod, "Pending", states, is_ready=False)
        return status | {"initContainerStatuses": [failed | {"lastState": ended}, *later]}

    def _succeeded(self, pod: Document) -> Document:
        return self._ended(pod, "Succeeded", "Completed", 0)

    def _failed(self, pod: Document) -> Document:
        return self._ended(pod, "Failed", "Error", 1)

    def _ended(self, pod: Document, phase: str, reason: str, code: int) -> Document:
        said = {"message": self.last_words} if self.last_words else {}
        ended = {"terminated": {"reason": reason, "exitCode": code, **said}}
        return self._status(pod, phase, [_container(item, ended) for item in pod["spec"]["containers"]], is_ready=False)

    def _running(self, container: Document, *, is_ready: bool) -> Document:
        return _container(container, {"running": {}}, is_ready=is_ready)

    def _status(self, pod: Document, phase: str, states: list[Document], *, is_ready: bool) -> Document:
        old, now = pod.get("status"), self.state.now()
        why = "" if is_ready else "ContainersNotReady"
        unready = [item["name"] for item in states if not item["ready"]]
        text = "" if is_ready else f"containers with unready status: [{' '.join(unready)}]"
        is_initialized = phase != "Pending" or not pod["spec"].get("initContainers")
        conditions = [
            hands.condition(old, "PodScheduled", True, "", "", now),
            hands.condition(old, "Initialized", is_initialized, "", "", now),
            hands.condition(old, "ContainersReady", is_ready, why, text, now),
            hands.condition(old, "Ready", is_ready, why, text, now),
        ]
        return {"phase": phase, "conditions": conditions, "containerStatuses": states}


_STATUS: dict[Fate, Callable[[Pods, Document], Document]] = {
    Fate.UNSCHEDULABLE: Pods._unschedulable,
    Fate.STARTING: Pods._starting,
    Fate.READY: Pods._ready,
    Fate.CRASH: Pods._crash,
    Fate.OUT_OF_MEMORY: Pods._out_of_memory,
    Fate.IMAGE_PULL: Pods._image_pull,
    Fate.INIT_FAILURE: Pods._init_failure,
    Fate.SUCCEEDED: Pods._succeeded,
    Fate.FAILED: Pods._failed,
}


def _container(spec: Document, state: Document, *, is_ready: bool = False, restarts: int = 0) -> Document:
    return {
        "name": spec["name"],
        "image": spec.get("image", ""),
        "imageID": "",
        "ready": is_ready,
        "restartCount": restarts,
        "started": is_ready,
        "state": state,
    }
