"""Which models and versions a worker answers for in TensorFlow Serving's terms, in the words its clients know.

Every model there has a version; one of ours without a version of its own is version 1.
"""

from typing import Any

from fairlead.dataplane.surfaces.models import Described, Models
from fairlead.dataplane.surfaces.tensorflow.paths import Target
from fairlead.errors import BadRequest, FairleadError, NotFound
from fairlead.runtimes.base import Signature, TensorSpec

DEFAULT_SIGNATURE = "serving_default"
_ONLY_VERSION = "1"
_PREDICT = "tensorflow/serving/predict"
_DTYPES = {
    "BOOL": "DT_BOOL",
    "UINT8": "DT_UINT8",
    "UINT16": "DT_UINT16",
    "UINT32": "DT_UINT32",
    "UINT64": "DT_UINT64",
    "INT8": "DT_INT8",
    "INT16": "DT_INT16",
    "INT32": "DT_INT32",
    "INT64": "DT_INT64",
    "FP16": "DT_HALF",
    "FP32": "DT_FLOAT",
    "FP64": "DT_DOUBLE",
    "BYTES": "DT_STRING",
}


class Served:
    """The models of one worker."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def name(self, target: Target) -> str:
        """The model that a path asks. Raises `NotFound` for a model or version that is not there."""
        name = self._resolved(target, f"Servable not found for request: {_wanted(target)}")
        if target.version and target.version not in self.versions(name):
            raise NotFound(f"Servable not found for request: {_wanted(target)}")
        return name

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a model."""
        return self._models.versions(name) or (_ONLY_VERSION,)

    def signatures(self, name: str, described: Described | None = None) -> dict[str, Signature]:
        """What a model can be asked by name; one that has no signatures can be asked to predict."""
        offered = dict(self._models.signatures(name))
        if offered:
            return offered
        known = described or self._models.describe(name)
        return {DEFAULT_SIGNATURE: Signature(inputs=known.inputs, outputs=known.outputs, method=_PREDICT)}

    async def state(self, target: Target) -> dict[str, Any]:
        """The state of a model's versions, or of the one asked for."""
        name = self._resolved(target, f"Could not find any versions of model {target.model}")
        versions = self.versions(name)
        if target.version and target.version not in versions:
            raise NotFound(f"Could not find version {target.version} of model {target.model}")
        is_ready = await self._models.is_ready(name)
        return {
            "model_version_status": [
                {
                    "version": version,
                    "state": "AVAILABLE" if is_ready else "LOADING",
                    "status": {"error_code": "OK", "error_message": ""},
                }
                for version in reversed(versions)
                if target.version in ("", version)
            ]
        }

    async def metadata(self, target: Target) -> dict[str, Any]:
        """A model's signatures as ModelServer describes them."""
        name = self.name(target)
        described = await self._models.described(name)
        signatures = {
            key: {
                "inputs": {spec.name: _tensor_info(spec) for spec in one.inputs},
                "outputs": {spec.name: _tensor_info(spec) for spec in one.outputs},
                "method_name": one.method,
            }
            for key, one in self.signatures(name, described).items()
        }
        version = target.version or self.versions(name)[-1]
        return {
            "model_spec": {"name": name, "signature_name": "", "version": version},
            "metadata": {"signature_def": {"signature_def": signatures}},
        }

    def _resolved(self, target: Target, words: str) -> str:
        if target.label:
            raise BadRequest(
                f"Unrecognized servable version label: {target.label}; versions here have no labels, name one by its "
                "number"
            )
        try:
            return self._models.resolve(target.model)
        except FairleadError as error:
            raise NotFound(words) from error


def _wanted(target: Target) -> str:
    return f"Specific({target.model}, {target.version})" if target.version else f"Latest({target.model})"


def _tensor_info(spec: TensorSpec) -> dict[str, Any]:
    sizes = [{"size": str(size), "name": ""} for size in spec.shape]
    return {
        "dtype": _DTYPES.get(spec.datatype, "DT_INVALID"),
        "tensor_shape": {"dim": sizes, "unknown_rank": False},
        "name": f"{spec.name}:0",
    }
