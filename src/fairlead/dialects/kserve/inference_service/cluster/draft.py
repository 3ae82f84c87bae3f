"""A pod while it is put together: the containers of a runtime and a manifest, before what KServe adds to every pod.

Everything is JSON as users write it, so that no field of a pod is lost on the way. A draft belongs to the one function
that composes it; what leaves that function is a `PodTemplate`.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from fairlead.dialects.findings import Findings
from fairlead.dialects.inline_pods import InlinePod
from fairlead.dialects.kserve.inference_service.pods import Assembled, assembled
from fairlead.dialects.kserve.inference_service.schema import (
    PREDICTOR_CONTAINER,
    TRANSFORMER_CONTAINER,
    Explainer,
    Predictor,
)
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ComponentTemplate
from fairlead.dialects.kserve.site import Site

Json = dict[str, Any]


def _names(model: type[InlinePod]) -> frozenset[str]:
    return frozenset(info.alias or name for name, info in model.model_fields.items())


NOT_OF_PODS = (_names(Predictor) | _names(Explainer)) - _names(InlinePod)
"""What a component has that is no field of a pod."""
DEFAULT_PORT = 8080


@dataclass(slots=True, kw_only=True)
class Draft:
    """The pod of one component. `main` is the container that predicts, transforms or explains. `fields` are the other
    fields of its spec. `mentions` are the objects that it was made from, `configs` those that it needs beside it."""

    template: ComponentTemplate
    site: Site
    found: Assembled
    main: Json
    containers: list[Json]
    inits: list[Json]
    volumes: list[Json]
    fields: Json
    labels: dict[str, str]
    annotations: dict[str, str]
    mentions: list[tuple[str, str]] = field(default_factory=list)
    configs: list[Json] = field(default_factory=list)

    @property
    def transformer(self) -> Json | None:
        """The container beside a predictor that requests reach first."""
        if self.template.role != PREDICTOR:
            return None
        return next((one for one in self.containers if one["name"] == TRANSFORMER_CONTAINER), None)

    @property
    def entry(self) -> Json:
        """The container that requests reach first."""
        return self.transformer or self.main

    @property
    def port(self) -> int:
        """Where that container listens."""
        ports = self.entry.get("ports") or ()
        return int(ports[0].get("containerPort") or DEFAULT_PORT) if ports else DEFAULT_PORT

    @property
    def service_account(self) -> str:
        """Whose Secrets hold credentials."""
        return self.fields.get("serviceAccountName") or self.fields.get("serviceAccount") or "default"

    def servers(self) -> Iterator[Json]:
        """The containers that read the model."""
        yield self.main
        if self.transformer is not None:
            yield self.transformer

    def container(self, name: str) -> Json | None:
        """A container of this name, of either kind."""
        return next((one for one in (*self.containers, *self.inits) if one.get("name") == name), None)

    def add_volume(self, volume: Json) -> None:
        """A volume that is there once, whoever asks for it."""
        if all(one.get("name") != volume["name"] for one in self.volumes):
            self.volumes.append(volume)


def draft_of(template: ComponentTemplate, site: Site, findings: Findings) -> Draft | None:
    """The pod without anything that KServe adds; `None`, with the reason among the findings, when there is none."""
    found = assembled(template, findings, site.config.explainers)
    if found is None:
        return None
    containers = {name: deepcopy(one) for name, (one, _) in _ordered(found).items()}
    for name, container in containers.items():
        container["name"] = name
    _ours(containers[found.main], template, site, findings)
    fields = {key: deepcopy(value) for key, value in found.pod.items() if _is_of_pod(key, value)}
    disallowed = site.config.inference_service
    return Draft(
        template=template,
        site=site,
        found=found,
        main=containers[found.main],
        containers=list(containers.values()),
        inits=deepcopy(found.init_containers(template)),
        volumes=deepcopy(list(found.pod.get("volumes") or ())),
        fields=fields,
        labels=_allowed(found.labels, template.labels, disallowed.service_label_disallowed_list, template),
        annotations=_allowed(
            found.annotations, template.annotations, disallowed.service_annotation_disallowed_list, template
        ),
    )


def _ours(main: Json, template: ComponentTemplate, site: Site, findings: Findings) -> None:
    """A server that is our image: one for all versions and devices, so that no tag is made up for it."""
    spec = template.spec
    if spec.get("art") is not None and not spec["art"].get("image"):
        chosen = site.config.explainers.art.image
        if not chosen or site.is_ours(chosen):
            main["image"] = site.settings.image_of("art")
            main.setdefault("command", ["fairlead", "model-server", "--format=art"])
        return
    model, runtime = spec.get("model"), template.runtime
    if model is None or runtime is None or model.get("image"):
        return
    containers = runtime["spec"].get("containers") or ()
    image = next((str(one.get("image") or "") for one in containers if one.get("name") == PREDICTOR_CONTAINER), "")
    if not site.is_ours(image):
        return
    main["image"], path = image, f"spec.{template.role}.model"
    if model.get("runtimeVersion"):
        findings.warn(f"{path}.runtimeVersion is not used: {image} has one version of every server")
    limits = (main.get("resources") or {}).get("limits") or {}
    if any(name.endswith("/gpu") and str(amount) != "0" for name, amount in limits.items()):
        findings.warn(
            f"{path}: {image} computes on processors; name a server's image for GPUs in the model, or in runtime "
            f"{runtime['name']}"
        )


def set_env(container: Json, name: str, value: str) -> None:
    """A variable with this value, in the place of one that is there."""
    env = container.setdefault("env", [])
    env[:] = [one for one in env if one.get("name") != name]
    env.append({"name": name, "value": value})


def add_env(container: Json, variables: Sequence[Mapping[str, Any]]) -> None:
    """The variables that the container does not have yet."""
    env = container.setdefault("env", [])
    known = {one.get("name") for one in env}
    env += [dict(one) for one in variables if one["name"] not in known]


def add_mount(container: Json, mount: Mapping[str, Any]) -> None:
    """A mount, unless the container has another one there."""
    mounts = container.setdefault("volumeMounts", [])
    if all(one.get("mountPath") != mount["mountPath"] for one in mounts):
        mounts.append(dict(mount))


def value_of(container: Mapping[str, Any], name: str) -> str:
    """What a variable's value is written as; empty for none."""
    found = (one.get("value") for one in container.get("env") or () if one.get("name") == name)
    return str(next(found, "") or "")


def _ordered(found: Assembled) -> dict[str, tuple[Json, str]]:
    """A runtime's server first and the transformer beside it second; containers of one's own as they are written."""
    if found.model is None:
        return dict(found.containers)
    first = [name for name in (PREDICTOR_CONTAINER, TRANSFORMER_CONTAINER) if name in found.containers]
    return {name: found.containers[name] for name in dict.fromkeys((*first, *found.containers))}


def _is_of_pod(key: str, value: Any) -> bool:
    return value is not None and key not in NOT_OF_PODS and key not in ("containers", "initContainers", "volumes")


def _allowed(
    merged: Mapping[str, str], services: Mapping[str, str], disallowed: Sequence[str], template: ComponentTemplate
) -> dict[str, str]:
    """Without what an installation keeps from pods, where only the service says it."""
    said = {**(template.spec.get("labels") or {}), **(template.spec.get("annotations") or {})}
    hidden = {key for key in disallowed if key in services and key not in said}
    return {key: str(value) for key, value in merged.items() if key not in hidden}
