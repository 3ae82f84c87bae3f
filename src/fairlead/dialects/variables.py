"""A container's variables as the plan has them: literals, references to Secrets and ConfigMaps, and what a pod would
have known about itself (`fieldRef`, `resourceFieldRef`)."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairlead.dialects.findings import Findings
from fairlead.dialects.podspec import EnvFromSource, ResourceRequirements
from fairlead.dialects.podspec import EnvVar as Written
from fairlead.plan import quantity
from fairlead.plan.model import EnvFrom, EnvVar, KeyRef

_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_POD_ADDRESS = "127.0.0.1"
_KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """What a container could ask of its pod. `name` is what all replicas share: one's own name is given by whoever
    starts it."""

    name: str
    namespace: str
    uid: str = ""
    service_account: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)

    def field_value(self, path: str) -> str | None:
        """A field by its path, `None` for one that has no meaning without a cluster."""
        if match := _KEYED_FIELD.fullmatch(path):
            return (self.labels if match[1] == "labels" else self.annotations).get(match[2], "")
        known = {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "metadata.uid": self.uid,
            "spec.serviceAccountName": self.service_account or "default",
            "spec.nodeName": "localhost",
            "status.hostIP": _POD_ADDRESS,
            "status.podIP": _POD_ADDRESS,
            "status.podIPs": _POD_ADDRESS,
        }
        return known.get(path)


def lower_variables(written: Iterable[Written], path: str, pod: PodFacts, findings: Findings) -> list[EnvVar]:
    """The variables of a container as it gives them, references to earlier ones replaced."""
    lowered: list[EnvVar] = []
    literals: dict[str, str] = {}
    for index, variable in enumerate(written):
        where = f"{path}.env[{index}]"
        source = variable.value_from
        if source is None:
            literals[variable.name] = expand(variable.value, literals)
            lowered.append(EnvVar(name=variable.name, value=literals[variable.name]))
        elif source.secret_key_ref is not None:
            key = source.secret_key_ref
            reference = KeyRef(kind="Secret", name=key.name, key=key.key, optional=key.optional)
            lowered.append(EnvVar(name=variable.name, source=reference))
        elif source.config_map_key_ref is not None:
            key = source.config_map_key_ref
            reference = KeyRef(kind="ConfigMap", name=key.name, key=key.key, optional=key.optional)
            lowered.append(EnvVar(name=variable.name, source=reference))
        elif (value := _downward(variable, where, pod, findings)) is not None:
            literals[variable.name] = value
            lowered.append(EnvVar(name=variable.name, value=value))
    return lowered


def lower_env_from(sources: Iterable[EnvFromSource], path: str, findings: Findings) -> tuple[EnvFrom, ...]:
    """Whole Secrets and ConfigMaps as variables."""
    lowered = []
    for index, source in enumerate(sources):
        if source.secret_ref is not None:
            kind, reference = "Secret", source.secret_ref
        elif source.config_map_ref is not None:
            kind, reference = "ConfigMap", source.config_map_ref
        else:
            findings.refuse(f"{path}.envFrom[{index}]", "needs a secretRef or a configMapRef")
            continue
        lowered.append(EnvFrom(kind=kind, name=reference.name, prefix=source.prefix, optional=reference.optional))
    return tuple(lowered)


def expand(text: str, literals: Mapping[str, str]) -> str:
    """`$(NAME)` by the variable's value and `$$` by a dollar; a name that is not known stays as written."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] is None else literals.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


def literals_of(env: Iterable[EnvVar]) -> dict[str, str]:
    """The variables whose value is known now, for `expand`."""
    return {variable.name: variable.value for variable in env if variable.source is None}


def _downward(variable: Written, path: str, pod: PodFacts, findings: Findings) -> str | None:
    """A field of the pod that has a meaning without one; `None`, with a warning, for the others."""
    source = variable.value_from
    if source is not None and source.field_ref is not None:
        value = pod.field_value(source.field_ref.field_path)
        asked = f"the field {source.field_ref.field_path}"
    elif source is not None and source.resource_field_ref is not None:
        reference = source.resource_field_ref
        value = _resource(pod.resources, reference.resource, reference.divisor)
        asked = f"the resource {reference.resource}"
    else:
        findings.refuse(path, "valueFrom needs a secretKeyRef, configMapKeyRef, fieldRef or resourceFieldRef")
        return None
    if value is None:
        findings.warn(f"{path}: {variable.name} is not set: {asked} has no value here")
    return value


def _resource(resources: ResourceRequirements, name: str, divisor: str | int | float) -> str | None:
    """A limit or request in units of the divisor, rounded up; 0 counts as 1 in a divisor, as Kubernetes has it."""
    kind, _, resource = name.partition(".")
    given = resources.limits if kind == "limits" else resources.requests
    if resource not in given:
        return None
    try:
        ratio = quantity.parse(given[resource]) / (quantity.parse(divisor) or 1)
    except ValueError:
        return None
    return str(math.ceil(ratio))
