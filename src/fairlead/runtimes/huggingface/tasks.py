"""What a model is for: the names that both servers have for a task, and the class that loads a model for it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fairlead.errors import LoadError

GENERATION, TEXT_TO_TEXT = "text-generation", "text2text-generation"
CLASSIFICATION, TOKENS = "text-classification", "token-classification"
MASK, FEATURES = "fill-mask", "feature-extraction"

_CLASSES: Mapping[str, str] = {
    CLASSIFICATION: "AutoModelForSequenceClassification",
    TOKENS: "AutoModelForTokenClassification",
    FEATURES: "AutoModel",
    MASK: "AutoModelForMaskedLM",
    GENERATION: "AutoModelForCausalLM",
    TEXT_TO_TEXT: "AutoModelForSeq2SeqLM",
    "zero-shot-classification": "AutoModelForSequenceClassification",
}
_ALIASES = {
    "sequence-classification": CLASSIFICATION,
    "sentiment-analysis": CLASSIFICATION,
    "ner": TOKENS,
    "text-embedding": FEATURES,
    "summarization": TEXT_TO_TEXT,
    "translation": TEXT_TO_TEXT,
    # Those of vLLM.
    "generate": GENERATION,
    "embed": FEATURES,
    "embedding": FEATURES,
    "score": CLASSIFICATION,
    "classify": CLASSIFICATION,
}
_ARCHITECTURES = {
    "ForSequenceClassification": CLASSIFICATION,
    "ForTokenClassification": TOKENS,
    "ForMaskedLM": MASK,
    "ForConditionalGeneration": TEXT_TO_TEXT,
    "ForCausalLM": GENERATION,
    "LMHeadModel": GENERATION,
    "Model": FEATURES,
}


class Loaded(NamedTuple):
    """A model with its tokenizer. `max_length` is the most tokens of a text, `None` for what the model allows."""

    task: str
    model: Any
    tokenizer: Any
    max_length: int | None


def find_task(asked: str, config: Any, *, unit: str) -> str:
    """The task that was asked for, else the one that the model's architecture was made for."""
    if asked and asked != "auto":
        task = asked.strip().lower().replace("_", "-")
        task = _ALIASES.get(task, task)
        if task not in _CLASSES:
            raise LoadError(f"unit {unit}: task {asked!r} is not served here; accepted: {', '.join(sorted(_CLASSES))}")
        return task
    architectures = list(config.architectures or ())
    for name in architectures:
        found = next((task for ending, task in _ARCHITECTURES.items() if name.endswith(ending)), None)
        if found is not None:
            return found
    made_for, known = ", ".join(architectures) or "nothing that it says", ", ".join(_CLASSES)
    raise LoadError(f"unit {unit}: set the parameter task: the model was made for {made_for}; accepted: {known}")


def auto_class(task: str) -> str:
    """The class of transformers that loads a model for a task."""
    return _CLASSES[task]
