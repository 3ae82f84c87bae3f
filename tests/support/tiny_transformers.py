"""Hugging Face models small enough to make in a test: random weights of a fixed seed, a tokenizer of whole words."""

from pathlib import Path
from typing import Any

import pytest

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "</s>", "good", "bad", "film", "a", "very", "paris", "is", "in"]
LABELS = {0: "NEGATIVE", 1: "POSITIVE"}


CHAT_TEMPLATE = (
    "{% if tools %}film {{ tools | length }} {% endif %}{% for m in messages %}"
    "{% if m.role == 'robot' %}{{ raise_exception('no robots') }}{% endif %}"
    "{{ m.role }} {{ m.content }} </s> {% endfor %}{% if add_generation_prompt %}is{% endif %}"
)


def save_tiny(folder: Path, task: str, *, positions: int = 32, chat_template: str = "", labels: int = 2) -> Path:
    """A model for a task, as save_pretrained writes it. `positions` is the context of one that generates."""
    torch = pytest.importorskip("torch", reason="not run: torch is not installed")
    transformers = pytest.importorskip("transformers", reason="not run: transformers is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    transformers.logging.disable_progress_bar()
    model = _model(transformers, task, positions, labels)
    model.save_pretrained(folder)
    tokenizer = _tokenizer(transformers, positions)
    if chat_template:
        tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(folder)
    return folder


def _model(transformers: Any, task: str, positions: int, labels: int) -> Any:
    size = len(WORDS)
    if task == "text-generation":
        config = transformers.GPT2Config(
            vocab_size=size, n_embd=16, n_layer=1, n_head=2, n_positions=positions, bos_token_id=2, eos_token_id=5
        )
        return transformers.GPT2LMHeadModel(config)
    if task == "text2text-generation":
        config = transformers.T5Config(
            vocab_size=size, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0,
            pad_token_id=0, eos_token_id=5,
        )  # fmt: skip
        return transformers.T5ForConditionalGeneration(config)
    names = {index: label for index, label in LABELS.items() if index < labels}
    config = transformers.BertConfig(
        vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32, id2label=names, label2id={label: index for index, label in names.items()},
    )  # fmt: skip
    kinds = {
        "text-classification": transformers.BertForSequenceClassification,
        "token-classification": transformers.BertForTokenClassification,
        "fill-mask": transformers.BertForMaskedLM,
        "feature-extraction": transformers.BertModel,
    }
    return kinds[task](config)


def _tokenizer(transformers: Any, positions: int) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing

    made = Tokenizer(WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = WhitespaceSplit()
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", mask_token="[MASK]", eos_token="</s>",
        cls_token="[CLS]", sep_token="[SEP]", model_max_length=positions,
    )  # fmt: skip
