"""What the upstream operators left in a cluster, or still run in it. Two operators for one kind undo each other's
work, and webhooks of an operator that is gone refuse every change, so an installation looks before it begins.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.backends.kubernetes.install.cluster import Cluster

Json = dict[str, Any]
_OPERATORS = (
    "seldon-controller-manager",
    "kserve-controller-manager",
    "kserve-localmodel-controller-manager",
    "llmisvc-controller-manager",
    "yatai-deployment",
    "yatai-image-builder",
)
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_CONFIGURATIONS = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """`running` are Deployments of operators that run (namespace, name); `webhooks` are configurations (plural, name)
    of our kinds that call somebody else."""

    running: tuple[tuple[str, str], ...] = ()
    webhooks: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.running or self.webhooks)

    def advice(self) -> str:
        """What is there and the commands that end it."""
        lines = ["Other operators look after these kinds in this cluster. Two of them would undo each other's work."]
        lines += [f"  kubectl scale deployment {name} -n {place} --replicas=0" for place, name in self.running]
        lines += [f"  kubectl delete {plural} {name}" for plural, name in self.webhooks]
        lines.append(
            "Run these, or `fairlead install --take-over`, which does the same. Models keep running meanwhile;"
        )
        lines.append("what was made for them is adopted, not made again.")
        return "\n".join(lines)


async def find(cluster: Cluster, groups: Collection[str], mine: str) -> Upstream:
    """What is there. `groups` are those of our kinds, `mine` is the name of this installation's configurations."""
    running = []
    for name in _OPERATORS:
        found = await cluster.get(f"/apis/apps/v1/deployments?fieldSelector=metadata.name%3D{name}")
        for deployment in (found or {}).get("items") or ():
            if deployment["spec"].get("replicas", 1):
                running.append((str(deployment["metadata"]["namespace"]), name))
    webhooks = []
    for plural in _CONFIGURATIONS:
        found = await cluster.get(f"{_ADMISSION}/{plural}")
        for configuration in (found or {}).get("items") or ():
            name = str(configuration["metadata"]["name"])
            # Another installation of ours, for another namespace, is none of theirs.
            if name != mine and not name.startswith("fairlead.") and _is_about(configuration, groups):
                webhooks.append((plural, name))
    return Upstream(running=tuple(running), webhooks=tuple(webhooks))


def _is_about(configuration: Mapping[str, Any], groups: Collection[str]) -> bool:
    rules = (rule for hook in configuration.get("webhooks") or () for rule in hook.get("rules") or ())
    return any(group in groups for rule in rules for group in rule.get("apiGroups") or ())


async def end(cluster: Cluster, upstream: Upstream) -> list[str]:
    """Stop the operators and delete their webhooks; what was done. Nothing else of theirs is touched."""
    done = []
    for namespace, name in upstream.running:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        await cluster.patch(path, [{"op": "add", "path": "/spec/replicas", "value": 0}])
        done.append(f"deployment.apps/{name} in {namespace} scaled to 0")
    for plural, name in upstream.webhooks:
        await cluster.delete(f"{_ADMISSION}/{plural}/{name}")
        done.append(f"{plural.removesuffix('s')}/{name} deleted")
    return done
