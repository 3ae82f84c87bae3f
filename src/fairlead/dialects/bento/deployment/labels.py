"""The labels by which a deployment's objects and pods are found."""

from fairlead.dialects.bento.deployment.schema import BentoDeployment
from fairlead.dialects.bento.names import label_value, parse_tag

DOMAIN = "yatai.ai"
DEPLOYMENT = f"{DOMAIN}/bento-deployment"
REPOSITORY = f"{DOMAIN}/bento-repository"
BENTO_VERSION = f"{DOMAIN}/bento-version"
TARGET = f"{DOMAIN}/bento-deployment-target-type"
CREATOR = f"{DOMAIN}/creator"
COMPONENT_TYPE = f"{DOMAIN}/bento-deployment-component-type"
COMPONENT_NAME = f"{DOMAIN}/bento-deployment-component-name"
SELECTOR = f"{DOMAIN}/selector"
API_SERVER, RUNNER = "api-server", "runner"
PRODUCTION, DEBUG = "production", "debug"


def bento_labels(tag: str) -> dict[str, str]:
    """Of which bento something is."""
    parsed = parse_tag(tag)
    return {REPOSITORY: label_value(parsed.name), BENTO_VERSION: label_value(parsed.version)}


def bento_annotations(tag: str) -> dict[str, str]:
    """The same, whole."""
    parsed = parse_tag(tag)
    return {REPOSITORY: parsed.name, BENTO_VERSION: parsed.version}


def labels_of(deployment: BentoDeployment, tag: str, runner: str = "", *, target: str = PRODUCTION) -> dict[str, str]:
    """The labels of the API server's objects, or of a runner's."""
    kind = {COMPONENT_TYPE: RUNNER, COMPONENT_NAME: label_value(runner)} if runner else {COMPONENT_TYPE: API_SERVER}
    return {
        DEPLOYMENT: deployment.metadata.name,
        **bento_labels(tag),
        TARGET: target,
        CREATOR: "yatai-deployment",
        **kind,
    }
