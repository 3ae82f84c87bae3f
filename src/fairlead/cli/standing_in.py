"""Which command is meant by arguments that were written for another image.

Manifests, runtimes and ConfigMaps give a container's arguments without its program, which is in its image. Ours takes
the place of several images, so without a command of ours the shape of the arguments says whose place it is.
"""

import re
from collections.abc import Mapping, Sequence

_BY_FLAG = (
    ("router", frozenset(("graph-json",))),
    ("agent", frozenset(("component-port", "enable-puller", "enable-batcher", "log-url"))),
    ("engine", frozenset(("sdep", "server_type"))),
    (
        "model-server",
        frozenset(
            ("model_name", "model_dir", "model_id", "http_port", "rest_api_port", "model_base_path", "predictor_host")
        ),
    ),
)
"""Flags that only one of them has. The first that matches is meant."""
_BY_WORD = {"torchserve": ("model-server", "--format=pytorch"), "tritonserver": ("model-server", "--format=triton")}
_BY_VARIABLE = (
    ("ENGINE_PREDICTOR", "engine"),
    ("MLSERVER_MODEL_IMPLEMENTATION", "model-server"),
    ("MLSERVER_MODEL_URI", "model-server"),
)
_TENSORFLOW = frozenset(("rest_api_port", "model_base_path"))
_SOURCE = re.compile(r"/|[\w+.-]+:")


def meant(arguments: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The arguments with the command in front; as they are when they have one, or none can be told."""
    words = list(arguments)
    if not words:
        return next(([command] for variable, command in _BY_VARIABLE if environ.get(variable)), words)
    if words[0] in _BY_WORD:
        return [*_BY_WORD[words[0]], *words[1:]]
    if not words[0].startswith("-"):
        return ["storage-initializer", *words] if _are_pairs(words) else words
    names = {word.lstrip("-").partition("=")[0] for word in words if word.startswith("-")}
    for command, flags in _BY_FLAG:
        if names & flags:
            return [command, *(("--format=tensorflow",) if names & _TENSORFLOW else ()), *words]
    return words


def _are_pairs(words: Sequence[str]) -> bool:
    """Sources, and the folders they go to."""
    sources, folders = words[::2], words[1::2]
    is_even = len(sources) == len(folders)
    return is_even and all(_SOURCE.match(word) for word in sources) and all(word.startswith("/") for word in folders)
