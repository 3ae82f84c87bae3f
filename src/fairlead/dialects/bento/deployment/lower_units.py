"""The unit of a part: a piece of a bento served by BentoML itself, or a container of the image that a Bento has."""

from collections.abc import Mapping

from fairlead.dialects.base import Document
from fairlead.dialects.bento.bento.schema import Bento
from fairlead.dialects.bento.deployment.bentos import Found
from fairlead.dialects.bento.deployment.parts import DeploymentPart
from fairlead.dialects.bento.deployment.schema import PORT, BentoDeployment, ResourceItem
from fairlead.dialects.bento.deployment.schema import Resources as Written
from fairlead.dialects.bento.sources import SOURCE, bento_artifact, credentials_of, registered
from fairlead.dialects.findings import Findings
from fairlead.dialects.podspec import EnvFromSource, ResourceRequirements
from fairlead.dialects.resources import lower_resources
from fairlead.dialects.variables import PodFacts, lower_env_from, lower_variables
from fairlead.plan.bentos import BentoStyle
from fairlead.plan.model import (
    Artifact,
    BentoPart,
    ComponentName,
    Container,
    EnvVar,
    Resources,
    Unit,
    UnitName,
)

MAIN = "main"
_DEFAULT_REQUESTS = {"cpu": "300m", "memory": "500Mi"}


def lower_unit(
    deployment: BentoDeployment,
    found: Found,
    bento: Bento,
    part: DeploymentPart,
    peers: Mapping[str, str],
    labels: Mapping[str, str],
    findings: Findings,
) -> Unit:
    """The only unit of a part. `peers` are the components of runners and services by their names."""
    own = next((one for one in part.pod.containers if one.name == MAIN), None)
    path = f"{part.path}.envs" if part.envs else part.path
    pod = PodFacts(
        name=part.full_name,
        namespace=deployment.metadata.namespace,
        uid=deployment.metadata.uid,
        labels=labels,
        annotations=dict(part.pod_metadata.annotations),
        service_account=part.pod.service_account_name,
        resources=requirements(part.resources),
    )
    variables = lower_variables([*part.envs, *(own.env if own else ())], path, pod, findings)
    artifact = _artifact(found, bento, findings)
    known = {variable.name for variable in variables}
    added = [EnvVar(name=name, value=value) for name, value in _added(deployment).items() if name not in known]
    base = Unit(
        name=UnitName(MAIN),
        runtime="bento",
        artifact=artifact,
        env=(*variables, *added),
        env_from=lower_env_from(own.env_from if own else (), path, findings),
        resources=_resources(part, findings),
        bento=_bento_part(part, peers, is_old=bool(bento.spec.runners)),
        where=part.path,
    )
    return base if artifact is not None else _as_container(base, bento, part, findings)


def requirements(written: Written | None) -> ResourceRequirements:
    """Requests and limits of a container. A GPU is a limit in any case."""
    given = written or Written()
    requests, limits = _amounts(given.requests), _amounts(given.limits)
    gpu = requests.pop(_GPU, None)
    return ResourceRequirements(requests=requests, limits={**({_GPU: gpu} if gpu is not None else {}), **limits})


_GPU = "nvidia.com/gpu"


def _amounts(item: ResourceItem | None) -> dict[str, str | int | float]:
    if item is None:
        return {}
    named = {"cpu": item.cpu, "memory": item.memory, _GPU: item.gpu}
    return {**{name: amount for name, amount in named.items() if amount not in (None, "")}, **item.custom}


def _resources(part: DeploymentPart, findings: Findings) -> Resources:
    """As they are asked for, with a share to measure by where nothing is: a limit that nobody wrote would only kill."""
    given = requirements(part.resources)
    whole = ResourceRequirements(requests={**_DEFAULT_REQUESTS, **given.limits, **given.requests}, limits=given.limits)
    return lower_resources(whole, f"{part.path}.resources", findings)


def _added(deployment: BentoDeployment) -> dict[str, str]:
    """What Yatai tells every server of itself."""
    return {
        "YATAI_BENTO_DEPLOYMENT_NAME": deployment.metadata.name,
        "YATAI_BENTO_DEPLOYMENT_NAMESPACE": deployment.metadata.namespace,
    }


def _bento_part(part: DeploymentPart, peers: Mapping[str, str], *, is_old: bool) -> BentoPart:
    others = {name: component for name, component in peers.items() if name not in (part.runner, part.service)}
    style = BentoStyle.OLD if is_old else BentoStyle.NEW if peers else BentoStyle.UNKNOWN
    return BentoPart(
        service=part.service,
        runner=part.runner,
        # A runner asks nobody; a service may ask any other.
        peers=() if part.runner else tuple((name, ComponentName(component)) for name, component in others.items()),
        style=style,
    )


def _artifact(found: Found, bento: Bento, findings: Findings) -> Artifact | None:
    """Where its files are; `None` when all there is of it is an image."""
    request, spec = found.request, bento.spec
    if source := bento.metadata.annotations.get(SOURCE):
        return bento_artifact(source, spec.models, "", findings)
    if request is None:
        return None
    asked: Document = request["spec"]
    if asked.get("bentoTag") != spec.tag:
        # The request is about another bento by now; this one is what the registry has.
        return bento_artifact(registered(spec.tag), spec.models, "", findings)
    given = [EnvFromSource.model_validate(one) for one in asked.get("downloaderContainerEnvFrom") or ()]
    secret = credentials_of(given, "BentoRequest.spec.downloaderContainerEnvFrom", Findings())
    return bento_artifact(asked.get("downloadUrl") or registered(spec.tag), spec.models, secret, findings)


def _as_container(unit: Unit, bento: Bento, part: DeploymentPart, findings: Findings) -> Unit:
    """The image that somebody made, which serves all of its bento by itself."""
    if not part.is_server:
        findings.refuse(
            part.path,
            f"Bento {bento.metadata.name} is an image and nothing else, so {part.name} cannot run apart: write a "
            f"BentoRequest for it, or say where its files are in the annotation {SOURCE}",
        )
    return Unit(
        name=unit.name,
        runtime="container",
        image=bento.spec.image,
        env=(*unit.env, EnvVar(name="PORT", value=str(PORT))),
        env_from=unit.env_from,
        container=Container(image=bento.spec.image),
        http_port=PORT,
        resources=unit.resources,
        where=unit.where,
    )
