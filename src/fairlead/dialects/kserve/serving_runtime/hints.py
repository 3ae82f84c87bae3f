"""What a model could have asked for, when no runtime serves what it does ask for.

KServe's texts say only that there is none. These sentences come after them, for a person who has misspelt a format or
did not know that nobody serves it over V1.
"""

import difflib
from collections.abc import Iterable, Sequence

from fairlead.dialects.kserve.serving_runtime.schema import ServingRuntime


def of_format(model_format: str, version: str | None, protocol: str, offered: Sequence[ServingRuntime]) -> str:
    """Why none of the runtimes that are offered serves a format by itself, and what they would serve."""
    serving = [item for item in offered if model_format in _formats([item])]
    if not serving:
        return near(model_format, _formats(offered), "the formats that are served are")
    versions = _listed(_versions(serving, model_format))
    if version is not None and version not in _versions(serving, model_format):
        return f"{model_format} is served in the versions {versions}" if versions else "leave its version out"
    spoken = {name for item in serving for name in item.spec.protocol_versions}
    asked = f"{protocol}, which is what a model without protocolVersion asks for" if protocol == "v1" else protocol
    return f"protocolVersion: {model_format} is served over {_listed(spoken)}, not {asked}"


def of_protocol(runtime: ServingRuntime) -> str:
    return f"protocolVersion: it speaks {_listed(runtime.spec.protocol_versions)}"


def of_server(runtime: ServingRuntime) -> str:
    entries = {f"{entry.name} {entry.version or ''}".strip() for entry in runtime.spec.supported_model_formats}
    return f"it serves {_listed(entries) or 'nothing'}"


def near(word: str, known: Iterable[str], introduction: str) -> str:
    """The known word that was meant, or all of them."""
    names = sorted(set(known), key=str.lower)
    folded = {name.lower(): name for name in names}
    found = difflib.get_close_matches(word.lower(), folded, n=1)
    if found:
        return f"did you mean {folded[found[0]]}?"
    return f"{introduction} {', '.join(names)}" if names else "there are none"


def _formats(runtimes: Iterable[ServingRuntime]) -> set[str]:
    return {entry.name for item in runtimes for entry in item.spec.supported_model_formats if entry.auto_select}


def _versions(runtimes: Iterable[ServingRuntime], model_format: str) -> set[str]:
    entries = (entry for item in runtimes for entry in item.spec.supported_model_formats)
    return {entry.version for entry in entries if entry.name == model_format and entry.auto_select and entry.version}


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
