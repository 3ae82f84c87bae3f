"""Which image a cluster would have pulled for a runtime's container. Here it is what answers and messages name, what a
container engine runs when no runtime of ours stands for it, and what the catalog is asked."""

from collections.abc import Mapping
from typing import Any

_GPU_SERVERS = ("tensorflow-serving", "torchserve", "huggingfaceserver")
_CPU_SERVERS = ("vllmserver",)
_GPUS = ("nvidia.com/gpu", "amd.com/gpu", "intel.com/gpu", "habana.ai/gaudi")


def tagged(image: str, *, runtime_version: str, server_type: str, resources: Mapping[str, Any]) -> str:
    """The image with the tag that the model asks for, or that its devices do."""
    if "@" in image or not image:
        return image
    repository, tag = _split(image)
    if runtime_version:
        return f"{repository}:{runtime_version}"
    has_gpu = any(_is_wanted(amount) for amount in _gpus(resources))
    if has_gpu and server_type in _GPU_SERVERS and tag and not tag.endswith("-gpu"):
        return f"{repository}:{tag}-gpu"
    if not has_gpu and server_type in _CPU_SERVERS and not repository.endswith("-cpu"):
        return f"{repository}-cpu:{tag}" if tag else f"{repository}-cpu"
    return image


def _split(image: str) -> tuple[str, str]:
    front, slash, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{front}{slash}{name}", tag


def _gpus(resources: Mapping[str, Any]) -> list[Any]:
    return [
        amount
        for part in resources.values()
        if isinstance(part, Mapping)
        for name, amount in part.items()
        if name in _GPUS
    ]


def _is_wanted(amount: Any) -> bool:
    return str(amount).strip() not in ("", "0")
