"""Hugging Face models from a folder: transformers with PyTorch on the CPU, and nothing from the network.

Two servers have made these models known, and clients of both are answered as they expect. Under MLServer (Seldon's
HUGGINGFACE_SERVER) a request has the tensor `args`, or a tensor for each argument of the pipeline, and the answer is
`output`: JSON in BYTES. KServe's server takes texts, as V1 instances or one tensor of BYTES, and gives a prediction for
each. Parameters have the names of both.
"""

from fairlead.runtimes.huggingface.loading import load

__all__ = ["load"]
