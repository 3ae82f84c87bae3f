"""The constants of the SDK that model files name."""

from enum import Enum

INFERENCE_CONTENT_LENGTH_HEADER = "inference-header-content-length"
KSERVE_MODEL_ENDPOINT_SEPARATOR = ":"
KSERVE_LOGLEVEL = "INFO"
DEFAULT_HTTP_PORT = 8080
DEFAULT_GRPC_PORT = 8081
FASTAPI_APP_IMPORT_STRING = ""


class PredictorProtocol(Enum):
    """How a transformer speaks to its predictor."""

    REST_V1 = "v1"
    REST_V2 = "v2"
    GRPC_V2 = "grpc-v2"
