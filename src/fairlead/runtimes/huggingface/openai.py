"""What a Hugging Face model answers of OpenAI's endpoints, by its task."""

import copy
from typing import Any

from fairlead.runtimes.huggingface.encoding import Encoding
from fairlead.runtimes.huggingface.generating import Generating
from fairlead.runtimes.huggingface.options import Options
from fairlead.runtimes.huggingface.tasks import CLASSIFICATION, FEATURES, GENERATION, TEXT_TO_TEXT, Loaded


def openai_of(torch: Any, loaded: Loaded, options: Options, *, unit: str) -> Generating | Encoding | None:
    """Completions and chat of a model that generates, embeddings and ranking of one that embeds, ranking of one that
    scores pairs; `None` for the others."""
    # A tokenizer is not to be asked by two threads with different settings, so each side has its own.
    if loaded.task in (GENERATION, TEXT_TO_TEXT):
        return Generating(torch, loaded, copy.deepcopy(loaded.tokenizer), options, unit=unit)
    ranks = loaded.task == CLASSIFICATION and int(loaded.model.config.num_labels) == 1
    if loaded.task == FEATURES or ranks:
        return Encoding(torch, loaded, copy.deepcopy(loaded.tokenizer), options, unit=unit)
    return None
