"""OpenAI's endpoints as OpenAI's own client speaks them, at a worker's own port and through a gateway. Facts: openai
3.54.0; the shapes of errors and of the list of models are KServe's."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from fairlead.plan.model import Protocol, Unit, UnitName
from support.conformance_models import Place, fronted
from support.peers import PeerProcess, Refused, peer
from support.tiny_transformers import CHAT_TEMPLATE, WORDS, save_tiny

pytestmark = pytest.mark.slow

Ask = Callable[..., Any]
HELLO = [{"role": "user", "content": "a good film"}]
NO_END = {"ignore_eos": True}


@pytest.fixture(scope="module")
def client() -> Iterator[PeerProcess]:
    with peer("openai", "openai_driver") as process:
        yield process


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    folder = save_tiny(tmp_path_factory.mktemp("writer"), "text-generation", positions=512, chat_template=CHAT_TEMPLATE)
    with fronted(Unit(name=UnitName("writer"), runtime="huggingface"), Protocol.V1, files=folder) as places:
        yield places


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    folder = save_tiny(tmp_path_factory.mktemp("reader"), "feature-extraction")
    with fronted(Unit(name=UnitName("reader"), runtime="huggingface"), Protocol.V2, files=folder) as places:
        yield places


@pytest.fixture(params=["worker", "gateway"])
def via(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def ask(client: PeerProcess, writers: dict[str, Place], via: str) -> Ask:
    """`ask(call, **arguments)` of the model that writes."""

    def call(name: str, *positional: Any, **arguments: Any) -> Any:
        own = {key: arguments.pop(key) for key in ("is_async", "leaves_after") if key in arguments}
        if name.endswith("create"):
            arguments = {"model": "writer"} | arguments
        url = f"http://{writers[via].rest}/openai/v1"
        return client.ask(url=url, call=name, positional=list(positional), arguments=arguments, **own)

    return call


def text(chunks: list[dict[str, Any]], index: int = 0) -> str:
    choices = [one for chunk in chunks for one in chunk["choices"] if one["index"] == index]
    return "".join(one["text"] if "text" in one else one["delta"]["content"] or "" for one in choices)


def test_completions_are_whole_answers_with_counts(ask: Ask, *, is_async: bool) -> None:
    answer = ask(
        "completions.create", prompt="a very", max_tokens=4, temperature=0, is_async=is_async, extra_body=NO_END
    )

    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["model"] == "writer"
    assert answer["usage"]["prompt_tokens"] == 4  # [CLS] a very [SEP]
    assert answer["usage"]["completion_tokens"] == 4
    assert answer["usage"]["total_tokens"] == 8
    assert answer["choices"][0]["finish_reason"] == "length"
    assert set(answer["choices"][0]["text"].split()) <= set(WORDS)


def test_a_stream_joins_to_the_whole_answer(ask: Ask, *, is_async: bool) -> None:
    asked = {"prompt": "a very", "max_tokens": 12, "seed": 7, "extra_body": NO_END}
    whole = ask("completions.create", **asked)

    chunks = ask("completions.create", **asked, stream=True, stream_options={"include_usage": True}, is_async=is_async)

    assert text(chunks) == whole["choices"][0]["text"]
    assert {chunk["id"] for chunk in chunks} == {chunks[0]["id"]}
    assert [one["finish_reason"] for chunk in chunks[:-1] for one in chunk["choices"]][-1] == "length"
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]


def test_chat_goes_through_the_models_template(ask: Ask, *, is_async: bool) -> None:
    answer = ask("chat.completions.create", messages=HELLO, max_completion_tokens=5, temperature=0, is_async=is_async)
    parts = [{"role": "user", "content": [{"type": "text", "text": "a good film"}]}]
    again = ask("chat.completions.create", messages=parts, max_tokens=5, temperature=0)

    assert answer["object"] == "chat.completion"
    assert answer["id"].startswith("chatcmpl-")
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert again["choices"] == answer["choices"]
    assert answer["usage"]["prompt_tokens"] == 6  # user a good film </s> is


def test_chat_streams_say_who_speaks_and_why_they_end(ask: Ask, *, is_async: bool) -> None:
    asked = {"messages": HELLO, "max_tokens": 8, "seed": 1, "n": 2, "extra_body": NO_END}
    whole = ask("chat.completions.create", **asked)

    chunks = ask("chat.completions.create", **asked, stream=True, is_async=is_async)

    for index in (0, 1):
        own = [one for chunk in chunks for one in chunk["choices"] if one["index"] == index]
        assert own[0]["delta"]["role"] == "assistant"
        assert [one["finish_reason"] for one in own] == [None] * (len(own) - 1) + ["length"]
        assert text(chunks, index) == whole["choices"][index]["message"]["content"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


def test_tools_reach_the_template(ask: Ask) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}

    plain = ask("chat.completions.create", messages=HELLO, max_tokens=1)
    told = ask("chat.completions.create", messages=HELLO, max_tokens=1, tools=[tool])
    kept = ask("chat.completions.create", messages=HELLO, max_tokens=1, tools=[tool], tool_choice="none")

    assert told["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"] + 2
    assert kept["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"]


def test_logprobs_are_told_as_each_endpoint_tells_them(ask: Ask) -> None:
    completion = ask("completions.create", prompt="a very", max_tokens=3, logprobs=2, echo=True, extra_body=NO_END)
    chat = ask(
        "chat.completions.create", messages=HELLO, max_tokens=3, logprobs=True, top_logprobs=2, extra_body=NO_END
    )

    told = completion["choices"][0]["logprobs"]
    assert completion["choices"][0]["text"].startswith("a very")
    assert told["tokens"][:4] == ["[CLS]", "a", "very", "[SEP]"]
    assert (told["token_logprobs"][0], told["top_logprobs"][0]) == (None, None)
    assert all(value < 0 for value in told["token_logprobs"][1:])
    assert all(len(one) in (2, 3) for one in told["top_logprobs"][1:])
    content = chat["choices"][0]["logprobs"]["content"]
    assert len(content) == 3
    assert all(bytes(one["bytes"]).decode() == one["token"] for one in content)
    assert all(len(one["top_logprobs"]) == 2 for one in content)


def test_the_first_word_to_stop_at_ends_a_text(ask: Ask) -> None:
    biased = {str(WORDS.index("film")): 100}

    whole = ask("completions.create", prompt="a", max_tokens=9, logit_bias=biased, stop=["bad", "film film"])
    streamed = ask("completions.create", prompt="a", max_tokens=9, logit_bias=biased, stop="film film", stream=True)

    assert whole["choices"][0] == {"index": 0, "text": " ", "finish_reason": "stop", "logprobs": None}
    assert whole["usage"]["completion_tokens"] == 2
    assert text(streamed) == " "


def test_a_model_that_says_it_is_done_is_done(ask: Ask) -> None:
    answer = ask("completions.create", prompt="a", max_tokens=9, logit_bias={str(WORDS.index("</s>")): 100})

    assert (answer["choices"][0]["text"], answer["choices"][0]["finish_reason"]) == ("", "stop")
    assert answer["usage"]["completion_tokens"] == 1


def test_prompts_may_be_many_and_may_be_tokens(ask: Ask) -> None:
    texts = ask("completions.create", prompt=["a very", "paris is in"], max_tokens=3, temperature=0, n=1)
    tokens = ask("completions.create", prompt=[[2, 9, 10, 3], [2, 11, 12, 13, 3]], max_tokens=3, temperature=0)

    assert [one["index"] for one in texts["choices"]] == [0, 1]
    assert [one["text"] for one in tokens["choices"]] == [one["text"] for one in texts["choices"]]
    assert texts["usage"]["prompt_tokens"] == tokens["usage"]["prompt_tokens"] == 9


def test_the_best_of_several_are_the_likeliest(ask: Ask) -> None:
    answer = ask("completions.create", prompt="a", max_tokens=3, n=2, best_of=5, logprobs=0, seed=3, extra_body=NO_END)

    means = [np.mean(one["logprobs"]["token_logprobs"]) for one in answer["choices"]]
    assert len(means) == 2
    assert means[0] >= means[1]
    assert answer["usage"]["completion_tokens"] == 15


def test_models_are_listed_and_found(ask: Ask) -> None:
    (listed,) = ask("models.list")["data"]

    assert ask("models.retrieve", "writer") == listed
    assert {"id": "writer", "object": "model", "owned_by": ""}.items() <= listed.items()


@pytest.mark.parametrize(
    ("call", "arguments", "status", "words"),
    [
        ("completions.create", {"model": "gpt-9", "prompt": "a"}, "404", "Model with name gpt-9 does not exist. (N"),
        ("embeddings.create", {"input": "a"}, "400", "Model writer does not support Embeddings API (B"),
        ("completions.create", {"prompt": "a", "suffix": "b"}, "400", "suffix is not supported: "),
        ("completions.create", {"prompt": "a", "max_tokens": 600}, "400", "(BadRequestError, prompt, 400)"),
        ("completions.create", {"prompt": "a", "temperature": 3}, "400", "temperature must be from 0 to 2; got 3"),
        ("completions.create", {"prompt": [[1], [99]]}, "400", "prompt: 99 is no token of this model, which has 14"),
        ("completions.create", {"prompt": "a", "stream": True, "best_of": 2}, "400", "best_of cannot be streamed"),
        ("chat.completions.create", {"messages": []}, "400", "messages must be a list with at least one message"),
        ("chat.completions.create", {"messages": [{"role": "robot", "content": "x"}]}, "400", "no robots"),
        (
            "chat.completions.create",
            {"messages": HELLO, "response_format": {"type": "json_object"}},
            "400",
            "response_format 'json_object' is not supported",
        ),
        ("chat.completions.create", {"messages": HELLO, "tool_choice": "required"}, "400", "tool_choice must be none"),
    ],
)
def test_refusals_say_what_would_be_accepted(
    ask: Ask, call: str, arguments: dict[str, Any], status: str, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        ask(call, **arguments)

    assert refused.value.status == status
    assert words in refused.value.words


def test_a_context_that_is_too_short_is_said_in_openais_words(ask: Ask) -> None:
    with pytest.raises(Refused) as refused:
        ask("chat.completions.create", messages=HELLO, max_tokens=510)

    assert refused.value.words == (
        "This model's maximum context length is 512 tokens. However, you requested 516 tokens (6 in the messages, 510 "
        "in the completion). Please reduce the length of the messages or completion. (BadRequestError, messages, 400)"
    )


def test_fields_that_nobody_knows_are_passed_over(ask: Ask) -> None:
    answer = ask("completions.create", prompt="a", max_tokens=1, user="me", extra_body={"zebra": 1})

    assert answer["usage"]["completion_tokens"] == 1


def test_a_client_that_leaves_a_stream_leaves_the_model_to_others(ask: Ask) -> None:
    chunks = ask("completions.create", prompt="a", max_tokens=500, stream=True, leaves_after=2, extra_body=NO_END)

    assert len(chunks) == 2
    assert ask("completions.create", prompt="a", max_tokens=2)["usage"]["completion_tokens"] <= 2


def test_embeddings_are_numbers_or_base64_of_them(
    client: PeerProcess, readers: dict[str, Place], via: str, *, is_async: bool
) -> None:
    url = f"http://{readers[via].rest}/v1"

    def embed(given: Any, **arguments: Any) -> Any:
        arguments |= {"model": "reader", "input": given}
        return client.ask(url=url, call="embeddings.create", arguments=arguments, is_async=is_async)

    usual = embed(["good film", "a"])  # the client asks for base64 and reads it
    plain = embed(["good film", "a"], encoding_format="float")
    packed = embed("a", encoding_format="base64")
    tokens = embed([2, 9, 3], encoding_format="float")
    short = embed("a", dimensions=4, encoding_format="float")

    vectors = [np.array(one["embedding"]) for one in plain["data"]]
    assert [one["index"] for one in plain["data"]] == [0, 1]
    assert [np.linalg.norm(one) for one in vectors] == pytest.approx([1, 1], rel=1e-5)
    for one, vector in zip(usual["data"], vectors, strict=True):
        assert one["embedding"] == pytest.approx(vector, abs=1e-6)
    assert np.frombuffer(base64.b64decode(packed["data"][0]["embedding"]), "<f4") == pytest.approx(vectors[1], abs=1e-5)
    assert tokens["data"][0]["embedding"] == pytest.approx(vectors[1], abs=1e-5)
    assert len(short["data"][0]["embedding"]) == 4
    assert plain["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


def test_a_model_of_v2_lists_itself_at_the_usual_place(
    client: PeerProcess, readers: dict[str, Place], via: str
) -> None:
    (listed,) = client.ask(url=f"http://{readers[via].rest}/v1", call="models.list")["data"]

    assert listed["id"] == "reader"
