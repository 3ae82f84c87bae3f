"""Triton model repositories: folders of models with `config.pbtxt` and numbered versions, served by the formats' own
runtimes. What only Triton's container runs (TensorRT, DALI, vLLM) is refused with that word."""

from fairlead.runtimes.triton.loading import load

__all__ = ["load"]
