"""The parameters of a Hugging Face unit, by the names of both servers."""

from collections.abc import Mapping
from dataclasses import dataclass
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


def options_of(context: LoadContext) -> Options:
    """What `model-settings.json` says, under the unit's own parameters."""
    unit = context.unit.name
    said = {**read_settings(context.folder, unit=unit).extra, **as_arguments(context.unit)}
    _one_of(said, "backend", ("auto", "huggingface"), unit)
    _one_of(said, "framework", ("pt", "torch"), unit)
    dtype = str(said.get("dtype") or "auto")
    if dtype not in _DTYPES:
        raise BadParameter(f"unit {unit}: parameter dtype is {dtype!r}; expected one of {', '.join(_DTYPES)}")
    return Options(
        task=str(said.get("task") or ""),
        model=str(said.get("pretrained_model") or said.get("model_id") or said.get("model_dir") or ""),
        tokenizer=str(said.get("pretrained_tokenizer") or ""),
        wants_optimum=_on(said, "optimum_model"),
        max_length=_number(said.get("max_model_len", said.get("max_length")), unit),
        lower_case=not _on(said, "disable_lower_case"),
        special_tokens=not _on(said, "disable_special_tokens"),
        token_types=_on(said, "return_token_type_ids"),
        probabilities=_on(said, "return_probabilities"),
        raw_logits=_on(said, "return_raw_logits"),
        dtype=_DTYPES[dtype],
        trusts_code=_on(said, "trust_remote_code"),
    )


def _on(said: Mapping[str, Any], name: str) -> bool:
    """A flag that is on; on a command line it has no value."""
    return name in said and str(said[name]).strip().lower() in _TRUE


def _one_of(said: Mapping[str, Any], name: str, known: tuple[str, ...], unit: str) -> None:
    value = said.get(name)
    if value and value not in known:
        raise LoadError(f"unit {unit}: {name} {value!r} is not served here; accepted: {', '.join(known)}")


def _number(value: Any, unit: str) -> int | None:
    if value is None:
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise BadParameter(f"unit {unit}: parameter max_length is {value!r}; expected a number from 1")
    return number
