"""The functions by which a model serves both of KServe's protocols with one line."""

import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np

from fairlead.protocols.tensors import BYTES
from fairlead.runtimes.kserve_shim.errors import InvalidInput
from fairlead.runtimes.kserve_shim.infer_type import InferOutput, InferRequest, InferResponse
from fairlead.runtimes.kserve_shim.utils.numpy_codec import from_np_dtype
from fairlead.runtimes.libraries import need


def generate_uuid() -> str:
    """A new id."""
    return str(uuid.uuid4())


def strtobool(val: str) -> bool:
    """The boolean in a word."""
    word = val.lower()
    if word in ("y", "yes", "t", "true", "on", "1"):
        return True
    if word in ("n", "no", "f", "false", "off", "0"):
        return False
    raise ValueError(f"invalid truth value {val!r}")


def to_headers(context: Any) -> dict[str, str]:
    """Metadata of a gRPC call as headers."""
    return dict(context.invocation_metadata())


def get_predict_input(payload: Any, columns: list[str] | None = None) -> Any:
    """What a request asks about: a list of texts, an array, or a DataFrame when it is made of objects or says
    `content_type: pd`."""
    if isinstance(payload, Mapping):
        return _of_instances(payload["inputs"] if "inputs" in payload else payload["instances"], columns)
    if not hasattr(payload, "inputs"):
        raise InvalidInput(f"unsupported payload type {type(payload).__name__}")
    if (payload.parameters or {}).get("content_type") == "pd":
        frame = payload.as_dataframe()
        return frame if columns is None else frame[columns]
    first = payload.inputs[0]
    return first.as_string() if first.datatype == BYTES else first.as_numpy()


def _of_instances(instances: Any, columns: list[str] | None) -> Any:
    first = instances[0] if isinstance(instances, list) and instances else None
    if isinstance(first, str):
        return instances
    if not isinstance(first, Mapping):
        return np.array(instances)
    pandas = need("pandas", extra="mlflow")
    listed = [{key: one if isinstance(one, list) else [one] for key, one in row.items()} for row in instances]
    return pandas.concat([pandas.DataFrame(row, columns=columns) for row in listed], axis=0, ignore_index=True)


def get_predict_response(payload: Any, result: Any, model_name: str) -> Any:
    """An answer in the protocol of its request."""
    is_frame = hasattr(result, "to_dict") and hasattr(result, "columns")
    if isinstance(payload, Mapping):
        if is_frame:
            return {"predictions": result.to_dict("records")}
        return {"predictions": result.tolist() if isinstance(result, np.ndarray) else result}
    columns = [(str(name), result[name].to_numpy()) for name in result.columns] if is_frame else None
    arrays = columns or [("output-0", np.asarray(result))]
    outputs = [_output(name, array) for name, array in arrays]
    asked_id = payload.id if isinstance(payload, InferRequest) else None
    return InferResponse(asked_id or generate_uuid(), model_name, outputs)


def _output(name: str, array: Any) -> InferOutput:
    datatype = from_np_dtype(array.dtype)
    if datatype is None:
        raise InvalidInput(f"output {name!r}: no datatype for arrays of {array.dtype}")
    return InferOutput(name, list(array.shape), datatype, data=array.reshape(-1).tolist())
