"""`seldon_core.proto`."""

from fairlead.runtimes.seldon_shim import prediction_pb2

__all__ = ["prediction_pb2"]
