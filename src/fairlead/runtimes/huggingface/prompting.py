"""From what a request says to the tokens that a model goes on from."""

from collections.abc import Mapping
from typing import Any

from fairlead.protocols.openai import ChatRequest, Prompt
from fairlead.protocols.openai_errors import Unusable
from fairlead.runtimes.huggingface.options import Options

_IN_MESSAGES, _IN_PROMPT = "messages", "prompt"
_MOST_LETTERS = 500
"""More than any usual tokenizer puts into one token: runs of blanks are the longest, with 128."""


class Prompting:
    """A tokenizer of its own: an encoding with other settings on another thread would disturb it. `longest` is what the
    model's context holds, `None` for a model without such a limit; `size` is how many tokens it knows."""

    def __init__(self, tokenizer: Any, options: Options, *, longest: int | None, size: int) -> None:
        self._tokenizer = tokenizer
        self._options = options
        self.longest = longest
        self._size = size

    def ids_of(self, prompt: Prompt, name: str = _IN_PROMPT) -> list[int]:
        """The tokens of a text, or given ones after a look at them. Raises `Unusable`."""
        if isinstance(prompt, str):
            self._look_at_length(prompt, name)
            ids = self._encoded(prompt, adds_special=self._options.special_tokens) or self._start()
            if not ids:
                raise Unusable(f"{name} is empty, and this model has no token to begin with", name)
            return ids
        wrong = next((token for token in prompt if not 0 <= token < self._size), None)
        if wrong is not None:
            raise Unusable(f"{name}: {wrong} is no token of this model, which has {self._size}", name)
        return list(prompt)

    def chat_ids(self, request: ChatRequest, model: str) -> list[int]:
        """The tokens of a conversation, as the tokenizer's chat template writes it. Raises `Unusable`."""
        template = self._options.chat_template or getattr(self._tokenizer, "chat_template", None)
        if not template:
            raise Unusable(
                f"Model {model} has no chat template, so nobody knows how it reads a conversation; add "
                "chat_template.jinja to its folder, set the parameter chat_template, or use /v1/completions",
                _IN_MESSAGES,
            )
        try:
            text = self._tokenizer.apply_chat_template(
                [_plain(one) for one in request.messages],
                tools=list(request.tools) or None,
                chat_template=self._options.chat_template or None,
                add_generation_prompt=request.adds_generation_prompt,
                continue_final_message=request.continues_last,
                tokenize=False,
                **_arguments(request.template_arguments),
            )
        except Exception as error:  # the template is a program, and it refuses what it does not know
            line = " ".join(str(error).split())
            raise Unusable(f"the chat template refused the messages: {line}", _IN_MESSAGES) from error
        self._look_at_length(text, _IN_MESSAGES)
        # The template has written all special tokens itself.
        ids = self._encoded(text, adds_special=False)
        if not ids:
            raise Unusable("the chat template made nothing of the messages", _IN_MESSAGES)
        return ids

    def room(self, length: int, asked: int | None, default: int, name: str = _IN_PROMPT) -> int:
        """How many tokens may follow a prompt of this length: as many as asked for, else what fits, but no more than
        `default` where there is no limit. Raises `Unusable` in OpenAI's words when the context is too short."""
        if self.longest is None:
            return default if asked is None else asked
        if length + (asked or 0) > self.longest or (asked is None and length >= self.longest):
            raise Unusable(self._too_long(length, asked, name), name)
        return self.longest - length if asked is None else asked

    def _look_at_length(self, text: str, name: str) -> None:
        """Refuse what no tokenizer makes short enough, before it is busy with it for seconds."""
        if self.longest is not None and len(text) > self.longest * _MOST_LETTERS:
            raise Unusable(
                f"This model's maximum context length is {self.longest} tokens. However, the {name} has {len(text)} "
                f"characters. Please reduce the length of the {name}.",
                name,
            )

    def _too_long(self, length: int, asked: int | None, name: str) -> str:
        opening = f"This model's maximum context length is {self.longest} tokens. However, "
        if asked is None:
            return f"{opening}your {name} resulted in {length} tokens. Please reduce the length of the {name}."
        return (
            f"{opening}you requested {length + asked} tokens ({length} in the {name}, {asked} in the completion). "
            f"Please reduce the length of the {name} or completion."
        )

    def _encoded(self, text: str, *, adds_special: bool) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=adds_special)["input_ids"]
        return ids

    def _start(self) -> list[int]:
        """What a text begins with when there is nothing yet."""
        first = self._tokenizer.bos_token_id
        return [int(first)] if first is not None else []


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as templates know them: without what is null."""
    kept = {name: value for name, value in message.items() if value is not None}
    return {"content": "", **kept}


def _arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the client gives the template, but for what says how it is run."""
    own = ("chat_template", "tokenize", "tools", "conversation", "add_generation_prompt", "continue_final_message")
    return {name: value for name, value in given.items() if name not in own}
