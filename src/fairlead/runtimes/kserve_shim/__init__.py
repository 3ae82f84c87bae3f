"""The names that users' files import from `kserve`, when that package is not installed.

Classes written for KServe's SDK (0.21) import a base class, the types of the Open Inference Protocol, a few errors and
the model server. Those are here under the same names, so such a file runs without the SDK and what it brings: a web
server, gRPC and a Kubernetes client. `fairlead.runtimes.stand_in` makes them importable.
"""

from fairlead.runtimes.kserve_shim import constants, errors, logging
from fairlead.runtimes.kserve_shim.errors import (
    InferenceError,
    InvalidInput,
    ModelMissingError,
    ModelNotFound,
    ModelNotReady,
    NoModelReady,
    ServerNotLive,
    ServerNotReady,
    UnsupportedProtocol,
)
from fairlead.runtimes.kserve_shim.infer_type import (
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    RequestedOutput,
)
from fairlead.runtimes.kserve_shim.logging import logger
from fairlead.runtimes.kserve_shim.model import (
    BaseKServeModel,
    InferenceModel,
    InferenceVerb,
    Model,
    PredictorConfig,
    PredictorProtocol,
)
from fairlead.runtimes.kserve_shim.model_repository import ModelRepository
from fairlead.runtimes.kserve_shim.model_server import ModelServer
from fairlead.runtimes.kserve_shim.storage import Storage

__all__ = [
    "BaseKServeModel",
    "InferInput",
    "InferOutput",
    "InferRequest",
    "InferResponse",
    "InferenceError",
    "InferenceModel",
    "InferenceVerb",
    "InvalidInput",
    "Model",
    "ModelMissingError",
    "ModelNotFound",
    "ModelNotReady",
    "ModelRepository",
    "ModelServer",
    "NoModelReady",
    "PredictorConfig",
    "PredictorProtocol",
    "RequestedOutput",
    "ServerNotLive",
    "ServerNotReady",
    "Storage",
    "UnsupportedProtocol",
    "constants",
    "errors",
    "logger",
    "logging",
]
