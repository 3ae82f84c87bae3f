"""What a deployment consists of: its API server, and a part for every runner of an old-style bento or every service of
a new-style one that the manifest has apart."""

from collections.abc import Mapping
from dataclasses import dataclass

from fairlead.dialects.bento.bento.schema import Bento
from fairlead.dialects.bento.deployment.labels import API_SERVER
from fairlead.dialects.bento.deployment.schema import (
    Autoscaling,
    BentoDeployment,
    ExtraPodSpec,
    Resources,
    RunnerSpec,
)
from fairlead.dialects.bento.schema import PodMetadata
from fairlead.dialects.findings import Findings
from fairlead.dialects.podspec import EnvVar


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentPart:
    """One of them. `runner` and `service` are empty for the API server; `index` is a runner's place in the bento."""

    name: str
    path: str
    full_name: str
    runner: str = ""
    service: str = ""
    index: int = 0
    annotations: Mapping[str, str]
    labels: Mapping[str, str]
    resources: Resources | None
    autoscaling: Autoscaling | None
    envs: tuple[EnvVar, ...]
    pod_metadata: PodMetadata
    pod: ExtraPodSpec

    @property
    def is_server(self) -> bool:
        """Whether it is the API server."""
        return not (self.runner or self.service)


def parts_of(deployment: BentoDeployment, bento: Bento, findings: Findings) -> list[DeploymentPart]:
    """The API server first, then the runners in the order of the bento."""
    spec, names = deployment.spec, [one.name for one in bento.spec.runners]
    given = {one.name: (index, one) for index, one in enumerate(spec.runners)}
    if names:
        for name, (index, _) in given.items():
            if name not in names:
                known = ", ".join(names)
                findings.warn(f"spec.runners[{index}]: {name} is no runner of {bento.spec.tag}, which has {known}")
    wanted = names or list(given)
    if API_SERVER in wanted:
        findings.refuse("spec.runners", f"{API_SERVER} is the API server's name; a runner cannot have it")
    server = DeploymentPart(
        name=API_SERVER,
        path="spec",
        full_name=deployment.metadata.name,
        annotations=spec.annotations,
        labels=spec.labels,
        resources=spec.resources,
        autoscaling=spec.autoscaling,
        envs=tuple(spec.envs),
        pod_metadata=spec.extra_pod_metadata or PodMetadata(),
        pod=spec.extra_pod_spec or ExtraPodSpec(),
    )
    runners = [
        _runner(deployment, name, place, given.get(name), is_service=not names) for place, name in enumerate(wanted)
    ]
    return [server, *runners]


def _runner(
    deployment: BentoDeployment, name: str, place: int, given: tuple[int, RunnerSpec] | None, *, is_service: bool
) -> DeploymentPart:
    index, own = given if given is not None else (0, RunnerSpec(name=name))
    return DeploymentPart(
        name=name,
        path=f"spec.runners[{index}]",
        full_name=f"{deployment.metadata.name}-runner-{place}",
        runner="" if is_service else name,
        service=name if is_service else "",
        index=place,
        annotations=own.annotations,
        labels={**deployment.spec.labels, **own.labels},
        resources=own.resources,
        autoscaling=own.autoscaling,
        envs=tuple(own.envs),
        pod_metadata=own.extra_pod_metadata or deployment.spec.extra_pod_metadata or PodMetadata(),
        pod=own.extra_pod_spec or deployment.spec.extra_pod_spec or ExtraPodSpec(),
    )
