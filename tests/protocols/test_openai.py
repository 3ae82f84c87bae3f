"""Requests to OpenAI's endpoints, read and checked."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.protocols.openai import chat_request, completion_request, embedding_request, rerank_request
from fairlead.protocols.openai_errors import Unusable

HELLO = {"messages": [{"role": "user", "content": "hi"}]}
Anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["prompt", "messages", "input", "query", "documents", "n", "best_of", "stop", "stream", "stream_options",
     "logprobs", "top_logprobs", "logit_bias", "temperature", "max_tokens", "tools", "tool_choice", "response_format",
     "seed", "echo", "suffix", "encoding_format", "dimensions", "top_n", "chat_template_kwargs", "stop_token_ids"]
)  # fmt: skip
READERS: list[Callable[[Any], Any]] = [completion_request, chat_request, embedding_request, rerank_request]


@pytest.mark.parametrize("read", READERS)
@given(st.dictionaries(FIELDS, Anything))
def test_whatever_comes_is_read_or_refused_in_words(read: Callable[[Any], Any], body: dict[str, Any]) -> None:
    refused = None
    try:
        read(body)
    except Unusable as error:
        refused = error

    assert refused is None or (refused.http == 400 and refused.param)


def test_a_completion_says_little_and_means_the_defaults() -> None:
    asked = completion_request({"prompt": "a"})

    assert (asked.prompts, asked.n, asked.candidates, asked.is_streamed, asked.echoes) == (("a",), 1, 1, False, False)
    assert (asked.sampling.max_tokens, asked.sampling.temperature, asked.sampling.stop) == (16, None, ())
    assert chat_request(HELLO).sampling.max_tokens is None  # what the context holds


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [("a", ("a",)), ([1, 2], ([1, 2],)), (["a", "b"], ("a", "b")), ([[1], [2, 3]], ([1], [2, 3])), ("", ("",))],
)
def test_prompts_have_four_forms(prompt: Any, expected: Any) -> None:
    assert completion_request({"prompt": prompt}).prompts == expected


@pytest.mark.parametrize("prompt", [None, [], 5, [1, "a"], ["a", [1]], [[]], [True], {}])
def test_other_prompts_are_refused(prompt: Any) -> None:
    with pytest.raises(Unusable, match="prompt") as refused:
        completion_request({"prompt": prompt})
    assert refused.value.param == "prompt"


def test_the_newer_name_of_a_limit_wins() -> None:
    asked = chat_request({**HELLO, "max_tokens": 3, "max_completion_tokens": 5})

    assert asked.sampling.max_tokens == 5


def test_null_is_as_good_as_nothing() -> None:
    names = ("max_tokens", "temperature", "n", "stop", "stream", "logprobs", "logit_bias", "tools", "response_format")

    assert chat_request({**HELLO, **dict.fromkeys(names)}) == chat_request(HELLO)


def test_words_to_stop_at_may_be_one_or_several() -> None:
    assert completion_request({"prompt": "a", "stop": "x"}).sampling.stop == ("x",)
    assert completion_request({"prompt": "a", "stop": ["x", "", "y"]}).sampling.stop == ("x", "y")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"n": 0}, "n must be from 1 to 128; got 0"),
        ({"n": "2"}, "n must be a whole number; got '2'"),
        ({"stream": "yes"}, "stream must be true or false; got 'yes'"),
        ({"temperature": 2.5}, "temperature must be from 0 to 2; got 2.5"),
        ({"top_p": -1}, "top_p must be from 0 to 1; got -1"),
        ({"logit_bias": {"x": 1}}, "logit_bias must be an object of token ids and numbers"),
        ({"logit_bias": {"1": 101}}, "logit_bias must be from -100 to 100; got 101"),
        ({"best_of": 1, "n": 2}, "best_of must be at least n, which is 2; got 1"),
        ({"stream_options": {"include_usage": True}}, "The 'stream_options' parameter is only allowed when 'stream'"),
        ({"guided_json": {}}, "guided_json is not supported"),
        ({"use_beam_search": True}, "use_beam_search is not supported"),
        ({"max_tokens": -1}, "max_tokens must be from 0 up; got -1"),
        ({"stop": [1]}, "stop must be a string or a list of strings"),
    ],
)
def test_what_cannot_be_done_is_said(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(Unusable) as refused:
        completion_request({"prompt": "a", **fields})

    assert words in str(refused.value)


def test_parts_of_a_message_are_its_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

    (message,) = chat_request({"messages": [{"role": "user", "content": parts}]}).messages

    assert message["content"] == "a\nb"
    with pytest.raises(Unusable, match=r"messages\[0\]\.content\[0\]: parts of type 'image_url' are not supported"):
        chat_request({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]})


def test_documents_may_be_objects() -> None:
    asked = rerank_request({"query": "q", "documents": ["a", {"text": "b"}], "top_n": 0})

    assert (asked.documents, asked.top_n) == (("a", "b"), None)
