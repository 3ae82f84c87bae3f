"""The parameters of a Hugging Face unit, by the names of both servers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairlead.errors import LoadError
from fairlead.runtimes.base import LoadContext
from fairlead.runtimes.failures import BadParameter
from fairlead.runtimes.model_settings import read_settings
from fairlead.runtimes.parameters import as_arguments

_DTYPES = {name: name for name in ("auto", "float32", "float16", "bfloat16")} | {"float": "float32", "half": "float16"}
_TRUE = frozenset(("", "1", "t", "true", "y", "yes", "on"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the parameters say; empty where they say nothing."""

    task: str
    model: str
    tokenizer: str
    wants_optimum: bool
    max_length: int | None
    lower_case: bool
    special_tokens: bool
    token_types: bool
    probabilities: bool
    raw_logits: bool
    dtype: str
    trusts_code: bool
    chat_template: str
    """Jinja, for tokenizers that have none or another; empty for the tokenizer's own."""
    most_sequences: int
    most_tokens: int
    most_waiting: int


def options_of(context: LoadContext) -> Options:
    """What `model-settings.json` says, under the unit's own parameters."""
    unit = context.unit.name
    given = {**read_settings(context.folder, unit=unit).extra, **as_arguments(context.unit)}
    said = {name.replace("-", "_"): value for name, value in given.items()}
    _look_at_backend(said, unit)
    _one_of(said, "framework", ("pt", "torch"), unit)
    dtype = str(said.get("dtype") or "auto")
    if dtype not in _DTYPES:
        raise BadParameter(f"unit {unit}: parameter dtype is {dtype!r}; expected one of {', '.join(_DTYPES)}")
    return Options(
        task=str(said.get("task") or ""),
        model=str(said.get("pretrained_model") or said.get("model_id") or said.get("model_dir") or ""),
        tokenizer=str(said.get("pretrained_tokenizer") or said.get("tokenizer") or ""),
        wants_optimum=_on(said, "optimum_model"),
        max_length=_number(said, "max_model_len", unit) or _number(said, "max_length", unit),
        lower_case=not _on(said, "disable_lower_case"),
        special_tokens=not _on(said, "disable_special_tokens"),
        token_types=_on(said, "return_token_type_ids"),
        probabilities=_on(said, "return_probabilities"),
        raw_logits=_on(said, "return_raw_logits"),
        dtype=_DTYPES[dtype],
        trusts_code=_on(said, "trust_remote_code"),
        chat_template=_chat_template(said, context, unit),
        most_sequences=_number(said, "max_num_seqs", unit) or 32,
        most_tokens=_number(said, "max_batch_total_tokens", unit) or 65_536,
        most_waiting=_number(said, "max_waiting_seqs", unit) or 256,
    )


def _on(said: Mapping[str, Any], name: str) -> bool:
    """A flag that is on; on a command line it has no value."""
    return name in said and str(said[name]).strip().lower() in _TRUE


def _one_of(said: Mapping[str, Any], name: str, known: tuple[str, ...], unit: str) -> None:
    value = said.get(name)
    if value and value not in known:
        raise LoadError(f"unit {unit}: {name} {value!r} is not served here; accepted: {', '.join(known)}")


def _look_at_backend(said: Mapping[str, Any], unit: str) -> None:
    backend = said.get("backend")
    if backend == "vllm":
        raise LoadError(
            f"unit {unit}: backend 'vllm' is vLLM itself, which is not part of this runtime; run it as a container "
            "(vllm/vllm-openai), or where it is installed as the command `python -m vllm.entrypoints.openai.api_server`"
            "; backend huggingface generates with transformers (docs/openai.md)"
        )
    _one_of(said, "backend", ("auto", "huggingface"), unit)


def _chat_template(said: Mapping[str, Any], context: LoadContext, unit: str) -> str:
    """The template itself, or what the file of that name holds: in the model's folder, or anywhere."""
    given = str(said.get("chat_template") or "")
    if not given or "{" in given or "\n" in given:
        return given
    places = [Path(given)] if context.folder is None else [context.folder / given, Path(given)]
    for place in places:
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise BadParameter(
        f"unit {unit}: parameter chat_template is {given!r}; expected Jinja, or the name of a file of it"
    )


def _number(said: Mapping[str, Any], name: str, unit: str) -> int | None:
    value = said.get(name)
    if value is None or value == "auto":
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise BadParameter(f"unit {unit}: parameter {name} is {value!r}; expected a number from 1")
    return number
