"""Real transformers and torch, asked as OpenAI's endpoints ask: what options and the model's own files change."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from fairlead.errors import Overloaded
from fairlead.protocols.openai import Endpoint
from fairlead.protocols.openai_errors import Unusable
from fairlead.runtimes.base import Servable
from fairlead.runtimes.failures import BadParameter
from support.tiny_transformers import CHAT_TEMPLATE, WORDS, save_tiny
from support.units import unit
from support.user_files import load

pytestmark = pytest.mark.slow

HELLO = {"messages": [{"role": "user", "content": "a good film"}], "max_tokens": 3}
PATIENCE_S = 60


class Heard:
    """As `Listener`."""

    def __init__(self) -> None:
        self.body: Any = None
        self.events = b""
        self.error: Exception | None = None
        self.is_over = threading.Event()

    def answered(self, body: bytes) -> None:
        self.body = orjson.loads(body)
        self.is_over.set()

    def said(self, events: bytes) -> None:
        self.events += events

    def ended(self) -> None:
        self.is_over.set()

    def failed(self, error: Exception) -> None:
        self.error = error
        self.is_over.set()


class Loaded:
    """Models of a test, closed at its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Servable] = []

    def __call__(self, made_for: str, *, save: Mapping[str, Any] | None = None, **parameters: Any) -> Any:
        folder = self._folder / f"{made_for}{len(self._made)}"
        save_tiny(folder, made_for, **(save or {}))
        servable = load(unit("huggingface", name="m", **parameters), folder=folder)
        self._made.append(servable)
        return servable

    def close(self) -> None:
        for servable in self._made:
            servable.close()


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Loaded]:
    made = Loaded(tmp_path)
    yield made
    made.close()


def begun(servable: Any, endpoint: Endpoint, **body: Any) -> Heard:
    heard = Heard()
    servable.openai.start(endpoint, "m", body, [], heard)
    return heard


def asked(servable: Any, endpoint: Endpoint, **body: Any) -> Any:
    """The answer; raises what was told instead."""
    heard = begun(servable, endpoint, **body)
    assert heard.is_over.wait(PATIENCE_S)
    if heard.error is not None:
        raise heard.error
    return heard.body


def test_each_sort_of_model_has_its_endpoints(model: Loaded) -> None:
    def endpoints(made_for: str, **save: Any) -> set[str]:
        side = model(made_for, save=save).openai
        return set() if side is None else {str(one) for one in side.endpoints}

    assert endpoints("text-generation") == {"completions", "chat/completions"}
    assert endpoints("text2text-generation") == {"completions", "chat/completions"}
    assert endpoints("feature-extraction") == {"embeddings", "rerank"}
    assert endpoints("text-classification", labels=1) == {"rerank"}
    assert endpoints("text-classification") == set()


def test_a_model_without_a_chat_template_says_so(model: Loaded) -> None:
    with pytest.raises(Unusable, match="Model m has no chat template, so nobody knows how it reads a conversation"):
        asked(model("text-generation"), Endpoint.CHAT, **HELLO)


def test_a_chat_template_may_be_a_parameter_or_a_file(model: Loaded, tmp_path: Path) -> None:
    (tmp_path / "chat.jinja").write_text(CHAT_TEMPLATE)

    inline = asked(model("text-generation", chat_template=CHAT_TEMPLATE), Endpoint.CHAT, **HELLO)
    named: dict[str, Any] = {"chat-template": str(tmp_path / "chat.jinja")}
    filed = asked(model("text-generation", **named), Endpoint.CHAT, **HELLO)

    assert inline["usage"]["prompt_tokens"] == filed["usage"]["prompt_tokens"] == 6
    with pytest.raises(BadParameter, match=r"chat_template is 'no\.jinja'; expected Jinja, or the name of a file"):
        model("text-generation", chat_template="no.jinja")


def test_a_shorter_context_may_be_set(model: Loaded) -> None:
    flags: dict[str, Any] = {"max-model-len": "8"}
    servable = model("text-generation", **flags)

    with pytest.raises(Unusable, match=r"maximum context length is 8 tokens.*\(4 in the prompt, 6 in the completion\)"):
        asked(servable, Endpoint.COMPLETIONS, prompt="a very", max_tokens=6)
    assert asked(servable, Endpoint.COMPLETIONS, prompt="a very", max_tokens=4)["usage"]["completion_tokens"] <= 4


def test_what_is_far_too_much_is_refused_before_it_is_read(model: Loaded) -> None:
    servable = model("text-generation")

    with pytest.raises(Unusable, match=r"context length is 32 tokens\. However, the prompt has 20000 characters\."):
        asked(servable, Endpoint.COMPLETIONS, prompt="good " * 4000)
    with pytest.raises(Unusable, match="the request asks for 400 texts; at most 256 are allowed"):
        asked(servable, Endpoint.COMPLETIONS, prompt=["good"] * 100, n=4)


def test_a_chat_fills_the_context_when_nothing_is_said(model: Loaded) -> None:
    servable = model("text-generation", save={"chat_template": CHAT_TEMPLATE})

    answer = asked(servable, Endpoint.CHAT, messages=HELLO["messages"], ignore_eos=True)

    assert answer["usage"]["total_tokens"] == 32
    assert answer["choices"][0]["finish_reason"] == "length"


def test_prompts_begin_without_special_tokens_when_the_parameter_says(model: Loaded) -> None:
    usual = asked(model("text-generation"), Endpoint.COMPLETIONS, prompt="a very", max_tokens=1)
    plain = asked(
        model("text-generation", disable_special_tokens=""), Endpoint.COMPLETIONS, prompt="a very", max_tokens=1
    )

    assert (usual["usage"]["prompt_tokens"], plain["usage"]["prompt_tokens"]) == (4, 2)


def test_an_empty_prompt_needs_a_token_to_begin_with(model: Loaded) -> None:
    with pytest.raises(Unusable, match="prompt is empty, and this model has no token to begin with"):
        asked(model("text-generation", disable_special_tokens="true"), Endpoint.COMPLETIONS, prompt="")


def test_nothing_may_be_generated_to_score_a_prompt(model: Loaded) -> None:
    answer = asked(model("text-generation"), Endpoint.COMPLETIONS, prompt="a very", max_tokens=0, echo=True, logprobs=0)

    (choice,) = answer["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("a very", "length")
    assert len(choice["logprobs"]["token_logprobs"]) == 4
    assert answer["usage"]["completion_tokens"] == 0


def test_many_requests_at_once_get_what_each_would_get_alone(model: Loaded) -> None:
    servable = model("text-generation", save={"positions": 128})
    prompts = [" ".join(WORDS[6 + at % 8] for at in range(length)) for length in (1, 20, 3, 7, 40)]
    bodies = [
        {"prompt": prompt, "max_tokens": 5 + 9 * at, "temperature": 0, "ignore_eos": True}
        for at, prompt in enumerate(prompts)
    ]
    alone = [asked(servable, Endpoint.COMPLETIONS, **body)["choices"] for body in bodies]

    together = [begun(servable, Endpoint.COMPLETIONS, **body) for body in bodies]

    assert all(one.is_over.wait(PATIENCE_S) for one in together)
    assert [one.body["choices"] for one in together] == alone


def test_text_to_text_models_complete_and_stream(model: Loaded) -> None:
    servable = model("text2text-generation")
    body = {"prompt": "a very good film", "max_tokens": 6, "seed": 1}

    whole = asked(servable, Endpoint.COMPLETIONS, **body)
    streamed = begun(servable, Endpoint.COMPLETIONS, **body, stream=True)

    assert streamed.is_over.wait(PATIENCE_S)
    chunks = [orjson.loads(one.removeprefix(b"data: ")) for one in streamed.events.split(b"\n\n") if one]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole["choices"][0]["text"]
    assert whole["usage"]["prompt_tokens"] == 6


def test_a_cross_encoder_ranks_by_its_score(model: Loaded) -> None:
    servable = model("text-classification", save={"labels": 1})
    documents = ["bad film", "a good film", "paris is in"]

    answer = asked(servable, Endpoint.RERANK, query="good", documents=documents, top_n=2)
    bare = asked(servable, Endpoint.RERANK, query="good", documents=documents, return_documents=False)

    scores = [one["relevance_score"] for one in answer["results"]]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)
    assert answer["results"][0]["document"]["text"] == documents[answer["results"][0]["index"]]
    assert "document" not in bare["results"][0]


def test_many_texts_are_embedded_as_each_would_be_alone(model: Loaded) -> None:
    servable = model("feature-extraction")
    texts = [" ".join(WORDS[6 : 6 + count]) for count in range(1, 9)] * 9

    several = [begun(servable, Endpoint.EMBEDDINGS, input=texts), begun(servable, Endpoint.EMBEDDINGS, input=texts[3])]
    alone = np.array([asked(servable, Endpoint.EMBEDDINGS, input=one)["data"][0]["embedding"] for one in texts[:8]])

    assert all(one.is_over.wait(PATIENCE_S) for one in several)
    vectors = np.array([one["embedding"] for one in several[0].body["data"]])
    assert vectors == pytest.approx(np.tile(alone, (9, 1)), abs=1e-5)
    assert several[1].body["data"][0]["embedding"] == pytest.approx(alone[3], abs=1e-5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            "good " * 40,
            "This model's maximum context length is 32 tokens. However, you requested 42 tokens in the input",
        ),
        ([[1, 99]], "input: 99 is no token of this model, which has 14"),
        (["a"] * 3000, "input has 3000 texts; at most 2048 are allowed"),
    ],
)
def test_texts_that_cannot_be_embedded_are_refused(model: Loaded, given: Any, words: str) -> None:
    servable = model("feature-extraction")

    with pytest.raises(Unusable) as refused:
        asked(servable, Endpoint.EMBEDDINGS, input=given)

    assert words in str(refused.value)
    assert asked(servable, Endpoint.EMBEDDINGS, input="a")["usage"]["total_tokens"] == 3


def test_a_closed_model_takes_nothing_more(model: Loaded) -> None:
    for made_for, endpoint in (("text-generation", Endpoint.COMPLETIONS), ("feature-extraction", Endpoint.EMBEDDINGS)):
        servable = model(made_for)
        asked(servable, endpoint, prompt="a", input="a")
        servable.close()
        with pytest.raises(Overloaded, match="stopping"):
            asked(servable, endpoint, prompt="a", input="a")


def test_tasks_may_be_named_as_vllm_names_them(model: Loaded) -> None:
    flags: dict[str, Any] = {"max-model-len": "auto"}

    assert model("text-generation", task="generate", dtype="half", **flags).openai is not None
    assert model("feature-extraction", task="embed").openai is not None
    assert model("text-generation", task="auto").openai is not None
