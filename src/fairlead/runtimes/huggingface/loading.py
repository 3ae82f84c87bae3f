"""Loading a Hugging Face model, with sentences for what goes wrong: nothing is ever fetched from the Hub."""

import logging
import os
from pathlib import Path
from typing import Any

from fairlead.errors import LoadError
from fairlead.plan.model import Protocol
from fairlead.runtimes.artifact import listing
from fairlead.runtimes.base import MLSERVER, LoadContext
from fairlead.runtimes.huggingface.openai import openai_of
from fairlead.runtimes.huggingface.options import Options, options_of
from fairlead.runtimes.huggingface.pipeline_calls import PipelineCalls
from fairlead.runtimes.huggingface.predictions import Predictions
from fairlead.runtimes.huggingface.tasks import GENERATION, TEXT_TO_TEXT, Loaded, auto_class, find_task
from fairlead.runtimes.huggingface.unit import HuggingFaceUnit
from fairlead.runtimes.libraries import need
from fairlead.runtimes.parameters import threads_of

_log = logging.getLogger(__name__)

_EXTRA = "huggingface"
_NEW_TOKENS = 20
"""How much is generated when neither the model nor the request says: what transformers generates then."""
_EXPECTED = "a folder saved with save_pretrained(), which has a config.json"


def load(context: LoadContext) -> HuggingFaceUnit:
    """Load model and tokenizer for the unit's task."""
    unit = context.unit
    os.environ["HF_HUB_OFFLINE"] = "1"
    torch = need("torch", extra=_EXTRA)
    transformers = need("transformers", extra=_EXTRA)
    torch.set_num_threads(threads_of(context))
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    options = options_of(context)
    loaded = _loaded(transformers, _place(options, context.folder, unit=unit.name), options, unit=unit.name)
    is_pipeline = unit.variant == MLSERVER or context.protocol is Protocol.SELDON
    answers = PipelineCalls(transformers, loaded) if is_pipeline else Predictions(torch, loaded, options)
    return HuggingFaceUnit(answers, context, openai_of(torch, loaded, options, unit=unit.name))


def _place(options: Options, folder: Path | None, *, unit: str) -> Path:
    """Where the model is: the folder that a parameter names, inside the artifact or by itself, else the artifact."""
    named = options.model.removeprefix("file://")
    if folder is not None:
        inner = folder / named
        place = inner if named and inner.is_dir() else folder
    elif not named:
        raise LoadError(
            f"unit {unit}: no model to load: modelUri and pretrained_model are not set; expected {_EXPECTED}"
        )
    else:
        place = Path(named)
    if place.is_dir() and (place / "config.json").is_file():
        return place
    if place.is_dir():
        raise LoadError(f"unit {unit}: no Hugging Face model: found {listing(place)}; expected {_EXPECTED}")
    raise LoadError(
        f"unit {unit}: {named!r} is no folder here, and models are not downloaded from the Hugging Face Hub; name a "
        f"copy of it as modelUri or storageUri: {_EXPECTED}"
    )


def _loaded(transformers: Any, place: Path, options: Options, *, unit: str) -> Loaded:
    local = {"local_files_only": True, "trust_remote_code": options.trusts_code}
    _look_at_weights(place, options, unit=unit)
    try:
        config = transformers.AutoConfig.from_pretrained(str(place), **local)
        task = find_task(options.task, config, unit=unit)
        cased = {} if options.lower_case else {"do_lower_case": False}
        where = str(_tokenizer_place(options, place))
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **cased, **local)
        kind = getattr(transformers, auto_class(task))
        model = kind.from_pretrained(str(place), dtype=options.dtype, **local)
    except LoadError:
        raise
    except Exception as error:
        line = f"{type(error).__name__}: {' '.join(str(error).split())}"
        version = transformers.__version__
        raise LoadError(f"unit {unit}: transformers {version} cannot load {place.name}: {line}") from error
    model.eval()
    _settle(tokenizer, model, task, options)
    return Loaded(task, model, tokenizer, options.max_length)


def _look_at_weights(place: Path, options: Options, *, unit: str) -> None:
    names = [path.name for path in place.iterdir() if path.is_file()]
    if any(name.endswith((".safetensors", ".bin", ".index.json")) for name in names):
        if options.wants_optimum:
            _log.info("unit %s: optimum_model changes nothing: the model runs with PyTorch", unit)
        return
    if any(path.suffix == ".onnx" for path in place.rglob("*.onnx")):
        raise LoadError(
            f"unit {unit}: the folder has an ONNX file and no weights of transformers; save it with save_pretrained(), "
            "or serve the ONNX file by itself (format onnx, which takes token ids)"
        )


def _tokenizer_place(options: Options, place: Path) -> Path:
    """Where the tokenizer is: beside the model, unless a parameter names a folder."""
    named = options.tokenizer.removeprefix("file://")
    for candidate in (place / named, Path(named)):
        if named and candidate.is_dir():
            return candidate
    return place


def _settle(tokenizer: Any, model: Any, task: str, options: Options) -> None:
    """What batches need: a token that fills up short texts, on the side where a model does not go on."""
    if tokenizer.pad_token is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token
    if getattr(model.config, "pad_token_id", None) is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    if task == GENERATION:
        tokenizer.padding_side = "left"
    limits = getattr(model, "generation_config", None)
    if task in (GENERATION, TEXT_TO_TEXT) and limits is not None and limits.max_new_tokens is None:
        limits.max_new_tokens = _NEW_TOKENS
    if options.max_length is not None:
        tokenizer.model_max_length = options.max_length
