"""What a person types becomes a request in the protocol of what is asked."""

import json
from typing import Any

import pytest

from fairlead.cli.exits import UsageError
from fairlead.cli.questions import Question, instances, ndarray, only_api, question_of, tensors

V2_ROW = {"inputs": [{"name": "input-0", "shape": [1, 2], "datatype": "INT64", "data": [1, 2]}]}
V2_TEXT = {"inputs": [{"name": "input-0", "shape": [1], "datatype": "BYTES", "data": ["hello"]}]}


def doc(kind: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "iris", "namespace": "ns"}, "spec": spec}


def isvc(**model: Any) -> dict[str, Any]:
    return doc("InferenceService", predictor={"model": model})


@pytest.mark.parametrize(
    ("write", "typed", "sent"),
    [
        (ndarray, "[[1,2],[3,4]]", {"data": {"ndarray": [[1, 2], [3, 4]]}}),
        (ndarray, "[1,2]", {"data": {"ndarray": [[1, 2]]}}),
        (ndarray, '"hello"', {"strData": "hello"}),
        (ndarray, '{"jsonData": {"a": 1}}', {"jsonData": {"a": 1}}),
        (instances, "[1,2]", {"instances": [[1, 2]]}),
        (instances, '["a","b"]', {"instances": ["a", "b"]}),
        (instances, '"hello"', {"instances": ["hello"]}),
        (tensors, "[1,2]", V2_ROW),
        (tensors, '"hello"', V2_TEXT),
        (tensors, "[[0.5, 1]]", {"inputs": [V2_ROW["inputs"][0] | {"datatype": "FP64", "data": [0.5, 1]}]}),
    ],
)
def test_rows_text_and_whole_requests_are_understood(write: Any, typed: str, sent: dict[str, Any]) -> None:
    assert Question("/", write).body(typed) == sent


@pytest.mark.parametrize("typed", ["hello", "{", "3", "null"])
def test_what_is_no_request_is_refused_before_it_is_sent(typed: str) -> None:
    with pytest.raises(UsageError, match="--data"):
        Question("/", ndarray).body(typed)


def test_rows_of_several_lengths_are_no_tensor() -> None:
    with pytest.raises(UsageError, match="not of one length"):
        Question("/", tensors).body("[[1,2],[3]]")


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        (doc("SeldonDeployment", predictors=[]), "/seldon/ns/iris/api/v1.0/predictions"),
        (
            doc("SeldonDeployment", protocol="v2", predictors=[{"graph": {"name": "m"}}]),
            "/seldon/ns/iris/v2/models/m/infer",
        ),
        (
            doc("SeldonDeployment", protocol="tensorflow", predictors=[{"graph": {"name": "m"}}]),
            "/seldon/ns/iris/v1/models/m:predict",
        ),
        (isvc(), "/serving/ns/iris/v1/models/iris:predict"),
        (isvc(protocolVersion="v2"), "/serving/ns/iris/v2/models/iris/infer"),
        (
            isvc() | {"status": {"clusterServingRuntimeName": "kserve-mlserver"}},
            "/serving/ns/iris/v2/models/iris/infer",
        ),
        (doc("InferenceGraph"), "/serving/ns/iris/"),
    ],
)
def test_each_kind_is_asked_where_its_clients_ask_it(asked: dict[str, Any], path: str) -> None:
    assert question_of(asked).path == path


@pytest.mark.parametrize(
    ("data", "end", "body"),
    [
        ('"hello"', "chat/completions", {"messages": [{"role": "user", "content": "hello"}]}),
        ('{"messages": []}', "chat/completions", {"messages": []}),
        ('{"prompt": "hello"}', "completions", {"prompt": "hello"}),
        ('{"input": "hello"}', "embeddings", {"input": "hello"}),
        ('{"query": "a", "documents": []}', "rerank", {"query": "a", "documents": []}),
    ],
)
def test_a_language_model_is_asked_what_the_request_is_for(data: str, end: str, body: dict[str, Any]) -> None:
    question = question_of(doc("LLMInferenceService"))

    assert question.body(data) == body
    assert question.path_for(body) == f"/ns/iris/v1/{end}"


def test_an_explanation_has_a_path_of_its_own() -> None:
    assert question_of(isvc(), explains=True).path == "/serving/ns/iris/v1/models/iris:explain"
    assert question_of(isvc(protocolVersion="v2"), explains=True).path == "/serving/ns/iris/v2/models/iris/explain"
    with pytest.raises(UsageError, match="not asked for explanations"):
        question_of(doc("SeldonDeployment"), explains=True)


def _described(*paths: str) -> str:
    """As BentoML describes a service, whose tasks have more below them."""
    asked = {path: {"post": {"tags": ["Service APIs"]}} for path in paths}
    told = {"/livez": {"get": {"tags": ["Infrastructure"]}}, "/train/status": {"get": {"tags": ["Service APIs"]}}}
    return json.dumps({"paths": {**told, **asked}})


@pytest.mark.parametrize("paths", [("/classify",), ("/train", "/train/submit", "/train/retry"), ("/v1/classify",)])
def test_the_one_api_of_a_bento_is_found(paths: tuple[str, ...]) -> None:
    assert only_api(_described(*paths)) == paths[0]


@pytest.mark.parametrize(
    ("described", "told"),
    [
        (_described("/classify", "/train", "/train/submit"), "several APIs; say which: --path classify, train$"),
        (_described(), "the bento has no API"),
        ("<html>", "--path says which is asked"),
        ('{"paths": {"/a": []}}', "--path says which is asked"),
        ("[]", "--path says which is asked"),
    ],
)
def test_a_bento_that_could_be_asked_in_several_ways_says_which(described: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        only_api(described)
