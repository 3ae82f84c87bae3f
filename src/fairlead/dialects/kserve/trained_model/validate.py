"""The admission webhook's rules of TrainedModels, with its literal texts."""

import re
from collections.abc import Iterator

from fairlead.dialects.kserve.problems import problem, refuse
from fairlead.dialects.kserve.trained_model.schema import TrainedModel
from fairlead.errors import Problem

_NAME = "^[a-zA-Z0-9_-]+$"
_PREFIXES = ("s3://", "gs://", "https://", "http://")


def validate(model: TrainedModel, old: TrainedModel | None) -> None:
    """Raise `InvalidManifest` with every broken rule."""
    refuse(_problems(model, old))


def _problems(model: TrainedModel, old: TrainedModel | None) -> Iterator[Problem]:
    name, uri, memory = model.metadata.name, model.spec.model.storage_uri, str(model.spec.model.memory)
    label = f'the Trained Model "{name}"'
    if not re.search(_NAME, name):
        text = (
            f"{label} is invalid: a Trained Model name must consist of alphanumeric characters, '_', or '-'. "
            f'(e.g. "my-Name" or "abc_123", regex used for validation is \'{_NAME}\')'
        )
        yield problem("metadata.name", text)
    if not uri.startswith(_PREFIXES):
        text = (
            f"{label} storageUri field is invalid. The storage uri must start with one of the prefixes: "
            f'{", ".join(_PREFIXES)}. (the storage uri given is "{uri}")'
        )
        yield problem("spec.model.storageUri", text)
    before = str(old.spec.model.memory) if old is not None else memory
    if before != memory:
        text = f'{label} memory field is immutable. The memory was "{before}" but it is updated to "{memory}"'
        yield problem("spec.model.memory", text)
