"""The rules of a BentoDeployment."""

import re
from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.bento.deployment.annotations import STRATEGIES, STRATEGY
from fairlead.dialects.bento.deployment.old_schemas import V1Alpha1Spec, V1Alpha2Spec, V1Alpha3Spec
from fairlead.dialects.bento.deployment.schema import (
    GROUP,
    IDENTITY,
    KIND,
    VERSION,
    Autoscaling,
    BentoDeployment,
    ResourceItem,
    Resources,
)
from fairlead.dialects.bento.deployment.versions import original_tag, to_stored, version_of
from fairlead.dialects.bento.refusing import Refusing
from fairlead.dialects.podspec import ObjectMeta, OpenObject
from fairlead.dialects.reading import Identity, quoted, read_as

VERSIONS = (VERSION, "v1alpha3", "v1alpha2", "v1alpha1")
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_METRICS = {
    "Resource": "resource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
    "ContainerResource": "containerResource",
}


class _First(OpenObject):
    metadata: ObjectMeta = ObjectMeta()
    spec: V1Alpha1Spec


class _Second(OpenObject):
    metadata: ObjectMeta = ObjectMeta()
    spec: V1Alpha2Spec


class _Third(OpenObject):
    metadata: ObjectMeta = ObjectMeta()
    spec: V1Alpha3Spec


_OLD: Mapping[str, type[OpenObject]] = {"v1alpha1": _First, "v1alpha2": _Second, "v1alpha3": _Third}


def read(doc: Document) -> BentoDeployment:
    """The typed document, of whatever version. Raises `InvalidManifest`, with paths of the version that it is of."""
    check_version(doc)
    return read_as(BentoDeployment, to_stored(doc), IDENTITY)


def check_version(doc: Document) -> None:
    """Raise `InvalidManifest` for a document of no version that there is, or with mistakes of type in an old one."""
    version = version_of(doc)
    if version in _OLD:
        identity = Identity(GROUP, VERSIONS, KIND)
        typed = read_as(_OLD[version], doc, identity)
        refusing = Refusing(identity, doc)
        refusing.tag("spec.bento_tag", typed.spec.bento_tag)  # type: ignore[attr-defined]  # each of them has a spec
        refusing.check()
    elif version != VERSION:
        read_as(BentoDeployment, doc, Identity(GROUP, VERSIONS, KIND))


def validate(doc: Document) -> None:
    """Raise `InvalidManifest` with every problem."""
    spec, refusing = read(doc).spec, Refusing(IDENTITY, doc)
    if tag := original_tag(to_stored(doc)):
        refusing.tag("spec.bento_tag", tag)
    elif not _NAME.fullmatch(spec.bento):
        refusing.value("spec.bento", spec.bento, "must be the name of a Bento")
    _part(refusing, "spec", spec.annotations, spec.resources, spec.autoscaling)
    refusing.variables("spec.envs", spec.envs)
    refusing.labels("spec.labels", spec.labels)
    refusing.unique("spec.runners", [runner.name for runner in spec.runners])
    for index, runner in enumerate(spec.runners):
        path = f"spec.runners[{index}]"
        _part(refusing, path, runner.annotations, runner.resources, runner.autoscaling)
        refusing.variables(f"{path}.envs", runner.envs)
        refusing.labels(f"{path}.labels", runner.labels)
    exporter = spec.monitor_exporter
    if exporter is not None and exporter.enabled and not exporter.output:
        refusing.refuse("spec.monitorExporter.output", "Required value")
    refusing.check()


def _part(
    refusing: Refusing,
    path: str,
    annotations: Mapping[str, str],
    resources: Resources | None,
    autoscaling: Autoscaling | None,
) -> None:
    strategy = annotations.get(STRATEGY)
    if strategy is not None and strategy not in STRATEGIES:
        known = ", ".join(quoted(one) for one in STRATEGIES)
        text = f"Unsupported value: {quoted(strategy)}: supported values: {known}"
        refusing.refuse(f"{path}.annotations[{STRATEGY}]", text)
    if resources is not None:
        _resources(refusing, f"{path}.resources.requests", resources.requests)
        _resources(refusing, f"{path}.resources.limits", resources.limits)
    if autoscaling is not None:
        _autoscaling(refusing, f"{path}.autoscaling", autoscaling)


def _resources(refusing: Refusing, path: str, item: ResourceItem | None) -> None:
    if item is None:
        return
    named = {"cpu": item.cpu, "memory": item.memory, "gpu": item.gpu}
    for name, amount in {**named, **{f"custom[{name}]": one for name, one in item.custom.items()}}.items():
        if amount not in (None, ""):
            refusing.quantity(f"{path}.{name}", amount)


def _autoscaling(refusing: Refusing, path: str, given: Autoscaling) -> None:
    low, high = given.min_replicas, given.max_replicas
    if low is not None and high is not None and high < low:
        refusing.value(f"{path}.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    for index, metric in enumerate(given.metrics):
        _metric(refusing, f"{path}.metrics[{index}]", metric)


def _metric(refusing: Refusing, path: str, metric: Mapping[str, Any]) -> None:
    kind = metric.get("type")
    field = _METRICS.get(kind) if isinstance(kind, str) else None
    if field is None:
        known = ", ".join(quoted(one) for one in _METRICS)
        refusing.refuse(f"{path}.type", f"Unsupported value: {quoted(kind)}: supported values: {known}")
    elif not isinstance(metric.get(field), Mapping):
        refusing.refuse(f"{path}.{field}", "Required value")
