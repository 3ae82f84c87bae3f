"""`fairlead model-server`: the container of a KServe runtime."""

import os
from typing import Annotated

from cyclopts import Parameter

from fairlead.cli.pod_logging import in_pod


def model_server(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Serve the model that is in a folder, as the model servers of KServe's runtimes do.

    Takes the flags of the server that a runtime names: KServe's own, MLServer's variables, those of TensorFlow Serving,
    Triton, TorchServe or vLLM. V1, V2, OpenAI's API where the model has it, and gRPC are on both ports.

    Parameters
    ----------
    arguments
        --format sklearn|xgboost|lightgbm|predictive|onnx|catboost|mlflow|tensorflow|pytorch|triton|huggingface|vllm|
        mlserver|shap|art (default: $FAIRLEAD_FORMAT, else what the files in the folder say)
        --model_name model --model_dir /mnt/models --http_port 8080 --grpc_port 8081 --nthread N --framework FORMAT
        --predictor_host HOST --predictor_protocol v1|v2|grpc-v2 --predictor_use_ssl --host ADDRESS
    """
    from fairlead.pods.surroundings import processors, thread_settings

    # Numeric libraries look once, when they are imported.
    os.environ.update(thread_settings(processors(), os.environ))
    from fairlead.pods.model_server import run

    return in_pod(lambda: run(arguments, os.environ), level=os.environ.get("FAIRLEAD_LOG_LEVEL", "INFO"))
