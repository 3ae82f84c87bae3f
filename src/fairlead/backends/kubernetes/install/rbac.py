"""What the operator may do, and nothing else: the verbs that it uses on the kinds that it reads and writes.

The kinds come from the tables that the operator works by, so a kind that is added there is allowed here. Rights over
the whole cluster are what an operator of one namespace does not get: it has a Role in its place, and of the cluster
only what is in no namespace. No rule has a wildcard, and none lets it read or write more rights than its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from fairlead.backends.kubernetes.install.crds import definition_name
from fairlead.backends.kubernetes.install.installation import CERTIFICATE_SECRET, LEASE, Installation
from fairlead.backends.kubernetes.operator.resources import OWNED, ResourceType
from fairlead.backends.kubernetes.webhooks.converting import converted_kinds
from fairlead.dialects.base import Document, Kind

Json = dict[str, Any]
READ = ("get", "list", "watch")
WRITE = (*READ, "create", "patch", "delete")
_API = "rbac.authorization.k8s.io"


def rule(groups: Iterable[str], resources: Iterable[str], verbs: Iterable[str], *names: str) -> Json:
    """One rule; `names` are the only objects it is about."""
    made: Json = {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}
    return {**made, "resourceNames": list(names)} if names else made


def work_rules(kinds: Sequence[Kind]) -> list[Json]:
    """What the work needs, wherever the resources are."""
    namespaced = [kind for kind in kinds if kind.is_namespaced and not kind.is_read_only]
    return [
        *_kind_rules(namespaced),
        *(rule([group], plurals, WRITE) for group, plurals in _by_group(OWNED).items()),
        # Names of keys and of accounts; a Secret's values are never written anywhere.
        rule([""], ["secrets", "serviceaccounts"], READ),
        rule([""], ["pods"], READ),
        rule([""], ["events"], ("get", "create", "patch")),
        # The sets of an adopted Deployment go when its new pods are ready.
        rule(["apps"], ["replicasets"], ("get", "list", "patch", "delete")),
    ]


def cluster_rules(installation: Installation, kinds: Sequence[Kind], seeds: Sequence[Document]) -> list[Json]:
    """What is in no namespace. Of users' kinds only those of the seeds are made."""
    made = _kind_rules([kind for kind in kinds if not kind.is_namespaced])
    if installation.value("runtimes.create"):
        names = {seed["kind"] for seed in seeds}
        made += [rule([kind.group], [kind.plural], ("create",)) for kind in kinds if kind.kind in names]
    if installation.value("webhook.enabled") and (converted := converted_kinds(kinds)):
        names_of = [definition_name(kind) for kind in converted]
        made.append(rule(["apiextensions.k8s.io"], ["customresourcedefinitions"], ("get", "patch"), *names_of))
    if not installation.value("singleNamespace"):
        made.append(rule(["apiextensions.k8s.io"], ["customresourcedefinitions"], READ))
        made.append(rule([""], ["namespaces"], READ))
    if installation.value("webhook.enabled") and not installation.value("certManager.enabled"):
        hooks = ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"]
        name = installation.cluster_name
        made.append(rule(["admissionregistration.k8s.io"], hooks, ("get", "patch"), name))
    return made


def own_rules(installation: Installation) -> list[Json]:
    """In the operator's own namespace: its lease, its certificate, and the settings that hold for all."""
    made = [
        # A name cannot be asked for at creation, because there is none yet.
        rule(["coordination.k8s.io"], ["leases"], ("create",)),
        rule(["coordination.k8s.io"], ["leases"], ("get", "update"), LEASE),
        rule([""], ["configmaps"], READ),
    ]
    if installation.value("webhook.enabled"):
        verbs = ("get",) if installation.value("certManager.enabled") else ("get", "update")
        made.append(rule([""], ["secrets"], verbs, CERTIFICATE_SECRET))
    return made


def _kind_rules(kinds: Sequence[Kind]) -> list[Json]:
    """Users' own objects are read and, where an upstream operator left them in an old form, patched; what is written is
    their status. Of some kinds the operator makes objects beside others. `finalizers` lets what is made for one hold
    its deletion up until it is gone."""
    made = []
    for group in dict.fromkeys(kind.group for kind in kinds):
        plurals = [kind.plural for kind in kinds if kind.group == group]
        recorded = [kind.plural for kind in kinds if kind.group == group and kind.is_recorded]
        statuses = [f"{kind.plural}/status" for kind in kinds if kind.group == group and kind.has_status]
        finalizers = [f"{kind.plural}/finalizers" for kind in kinds if kind.group == group and kind.is_planned]
        made.append(rule([group], plurals, (*READ, "patch")))
        made.append(rule([group], statuses, ("get", "patch", "update")))
        made.append(rule([group], finalizers, ("update",)))
        made.append(rule([group], recorded, ("create", "delete")))
    return [one for one in made if one["resources"]]


def _by_group(types: Iterable[ResourceType]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for kind in types:
        grouped[kind.group].append(kind.plural)
    return dict(grouped)


def objects(installation: Installation, kinds: Sequence[Kind], seeds: Sequence[Document]) -> list[Json]:
    """Roles and bindings."""
    if not installation.value("rbac.create"):
        return []
    of_cluster, of_work = cluster_rules(installation, kinds, seeds), work_rules(kinds)
    own = own_rules(installation)
    if installation.value("singleNamespace"):
        own = [*of_work, *own]
    else:
        of_cluster = [*of_work, *of_cluster]
    account, namespace = installation.account, installation.namespace
    own_metadata = installation.metadata("fairlead-operator")
    return [
        *granted("ClusterRole", installation.cluster_metadata(), of_cluster, account=account, namespace=namespace),
        *granted("Role", own_metadata, own, account=account, namespace=namespace),
    ]


def granted(kind: str, metadata: Json, rules: Sequence[Json], *, account: str, namespace: str) -> list[Json]:
    """A role, and its binding to an account."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return [
        {"apiVersion": f"{_API}/v1", "kind": kind, "metadata": metadata, "rules": list(rules)},
        {
            "apiVersion": f"{_API}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _API, "kind": kind, "name": metadata["name"]},
            "subjects": [subject],
        },
    ]
