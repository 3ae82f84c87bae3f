"""What an update may not change."""

from collections.abc import Iterator, Mapping

from fairlead.dialects.kserve.config import LEGACY_MODES
from fairlead.dialects.kserve.inference_service.defaults import DEPLOYMENT_MODE
from fairlead.dialects.kserve.inference_service.schema import InferenceService, Predictor
from fairlead.dialects.kserve.inference_service.validating.walking import servers_of
from fairlead.dialects.kserve.problems import problem
from fairlead.errors import Problem


def update_problems(new: InferenceService, old: InferenceService) -> Iterator[Problem]:
    """Of a new version beside the one it replaces."""
    yield from _mode_problems(new.metadata.annotations, old)
    before, after = old.spec.predictor, new.spec.predictor
    if before.name != after.name and _models(before) == _models(after):
        yield problem("spec.predictor.name", "predictor.name change requires a model change (e.g. storageUri)")


def _mode_problems(annotations: Mapping[str, str], old: InferenceService) -> Iterator[Problem]:
    """The mode is the one that is at work, whatever the old annotation said."""
    before, after = str(old.status.get("deploymentMode") or ""), annotations.get(DEPLOYMENT_MODE)
    if not before or after is None:
        return
    if LEGACY_MODES.get(after, after) != LEGACY_MODES.get(before, before):
        text = f"update rejected: deploymentMode cannot be changed from '{before}' to '{after}'"
        yield problem(f"metadata.annotations.{DEPLOYMENT_MODE}", text)


def _models(predictor: Predictor) -> list[object]:
    """Where the models are; of containers, the containers."""
    uris = [server.storage_uri or server.storage for _, server in servers_of(predictor, "")]
    return [*uris, predictor.storage_uris] if uris else [*predictor.containers]
