"""LLMInferenceServices on a whole installation, asked by OpenAI's own client; and models of a hub that a server's flag
names."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.hugging_face import Hub, hugging_face
from support.inference_services import apply, ask, isvc
from support.instance import Installation, call, until
from support.peers import PeerProcess, Refused, peer
from support.tiny_transformers import CHAT_TEMPLATE, save_tiny

pytestmark = pytest.mark.slow

PATH = "/apis/serving.kserve.io/{}/namespaces/default/llminferenceservices"
CONFIGS = "/apis/serving.kserve.io/v1alpha2/namespaces/default/llminferenceserviceconfigs"
JSON = {"Content-Type": "application/json"}
SHORT = {"messages": [{"role": "user", "content": "a film"}], "max_tokens": 4, "temperature": 0}


@pytest.fixture(scope="module")
def client() -> Iterator[PeerProcess]:
    with peer("openai", "openai_driver") as process:
        yield process


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    return save_tiny(folder, "text-generation", positions=64, chat_template=CHAT_TEMPLATE)


def llm(name: str, uri: Path | str, *, version: str = "v1alpha2", **spec: Any) -> dict[str, Any]:
    model = {"uri": str(uri), **spec.pop("model", {})}
    return {
        "apiVersion": f"serving.kserve.io/{version}",
        "kind": "LLMInferenceService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"model": model, **spec},
    }


def create(running: Installation, document: dict[str, Any]) -> None:
    running.api(PATH.format(document["apiVersion"].rpartition("/")[2]), "POST", document)


def status(running: Installation, name: str) -> dict[str, Any]:
    found: dict[str, Any] = running.api(f"{PATH.format('v1alpha2')}/{name}").get("status") or {}
    return found


def conditions(running: Installation, name: str) -> dict[str, dict[str, str]]:
    return {one["type"]: one for one in status(running, name).get("conditions") or ()}


def wait_for(running: Installation, name: str, *, ready: str = "True") -> None:
    until(
        lambda: conditions(running, name).get("Ready", {}).get("status") == ready,
        what=f"{name} is Ready {ready}: {conditions(running, name)}",
    )


def test_openais_client_talks_to_it_below_its_path(shared: Installation, client: PeerProcess, tiny: Path) -> None:
    scheduler: dict[str, Any] = {"scheduler": {}, "route": {}, "gateway": {}}
    args = ["--max-num-seqs=4"]
    template = {"containers": [{"name": "main", "image": "vllm/vllm-openai:v0.11.0", "args": args}]}
    create(
        shared,
        llm("writer", tiny, version="v1alpha1", model={"name": "org/tiny"}, router=scheduler, template=template),
    )
    wait_for(shared, "writer")
    url = f"{shared.url}/default/writer/v1"
    asked = {"model": "org/tiny", **SHORT, "extra_body": {"ignore_eos": True}}

    listed = client.ask(url=url, call="models.list", arguments={})
    whole = client.ask(url=url, call="chat.completions.create", arguments=asked)
    chunks = client.ask(url=url, call="chat.completions.create", arguments=asked | {"stream": True})
    plain = client.ask(
        url=url, call="completions.create", arguments={"model": "org/tiny", "prompt": "a film", "max_tokens": 3}
    )

    assert [one["id"] for one in listed["data"]] == ["org/tiny"]
    assert whole["usage"]["completion_tokens"] == 4
    assert (
        "".join(one["choices"][0]["delta"]["content"] or "" for one in chunks)
        == whole["choices"][0]["message"]["content"]
    )
    assert plain["object"] == "text_completion"
    with pytest.raises(Refused, match="does not exist"):
        client.ask(url=url, call="chat.completions.create", arguments=asked | {"model": "org/other"})


def test_its_model_is_found_by_a_header_and_by_host_names(shared: Installation, tiny: Path) -> None:
    create(shared, llm("named", tiny, model={"name": "org/named"}))
    wait_for(shared, "named")
    body = json.dumps({"model": "org/named", **SHORT}).encode()
    path = f"{shared.url}/v1/chat/completions"

    by_header = call(path, "POST", body, {**JSON, "X-Gateway-Model-Name": "org/named"})
    by_host = call(path, "POST", body, {**JSON, "Host": "named.default.localhost"})
    by_nothing = call(path, "POST", body, JSON)

    assert [by_header.status, by_host.status, by_nothing.status] == [200, 200, 404]
    assert "chat.completion" in shared.run("predict", "llmisvc/named", "-d", '"a film"').stdout
    assert "text_completion" in shared.run("predict", "llmisvc/named", "-d", '{"prompt": "a film"}').stdout
    assert f"{shared.url}/default/named" in shared.run("status").stdout


def test_what_one_machine_has_not_is_told_and_keeps_nothing_from_being_ready(shared: Installation, tiny: Path) -> None:
    create(shared, llm("wide", tiny, prefill={"replicas": 2}, router={"scheduler": {}}))
    wait_for(shared, "wide")

    told = conditions(shared, "wide")
    assert {name for name, one in told.items() if one["status"] == "True"} >= {
        "Ready", "PresetsCombined", "WorkloadsReady", "RouterReady", "MainWorkloadReady", "HTTPRoutesReady",
    }  # fmt: skip
    assert "spec.prefill is not used" in told["Unsupported"]["message"]
    assert "InferencePool" in shared.run("describe", "llmisvc", "wide").stdout
    assert [one["name"] for one in status(shared, "wide")["addresses"]] == [
        "gateway-external",
        "gateway-host",
        "internal",
    ]
    assert status(shared, "wide")["url"] == f"{shared.url}/default/wide"


def test_a_service_waits_for_its_configuration_and_follows_it(shared: Installation, tiny: Path) -> None:
    create(shared, llm("based", tiny, baseRefs=[{"name": "called"}]))
    wait_for(shared, "based", ready="False")
    assert conditions(shared, "based")["PresetsCombined"]["reason"] == "ConfigNotFound"

    config = {
        "apiVersion": "serving.kserve.io/v1alpha2",
        "kind": "LLMInferenceServiceConfig",
        "metadata": {"name": "called", "namespace": "default"},
        "spec": {"model": {"name": "org/first"}},
    }
    shared.api(CONFIGS, "POST", config)
    wait_for(shared, "based")
    models = f"{shared.url}/default/based/v1/models"
    assert call(models).json()["data"][0]["id"] == "org/first"
    change = {"spec": {"model": {"name": "org/second"}}}
    shared.api(f"{CONFIGS}/called", "PATCH", change, "application/merge-patch+json")

    until(lambda: bool(call(models).json()["data"][0]["id"] == "org/second"), what="the other name")


def test_lora_adapters_are_refused_with_the_reason(shared: Installation, tiny: Path) -> None:
    adapters = {"lora": {"adapters": [{"name": "sql", "uri": "hf://org/sql"}]}}

    answer = shared.api_answer(PATH.format("v1alpha2"), "POST", llm("adapted", tiny, model=adapters))

    assert answer.status in (403, 422)
    assert "LoRA adapters are not served here" in answer.json()["message"]


def test_one_that_is_stopped_says_so_and_starts_again(shared: Installation, tiny: Path) -> None:
    create(shared, llm("halted", tiny))
    wait_for(shared, "halted")
    place = f"{PATH.format('v1alpha2')}/halted"
    stop = {"metadata": {"annotations": {"serving.kserve.io/stop": "true"}}}
    shared.api(place, "PATCH", stop, "application/merge-patch+json")
    wait_for(shared, "halted", ready="False")
    assert conditions(shared, "halted")["Ready"]["reason"] == "Stopped"
    shared.api(place, "PATCH", {"metadata": {"annotations": None}}, "application/merge-patch+json")

    wait_for(shared, "halted")
    assert call(f"{shared.url}/default/halted/v1/models").status == 200


@pytest.fixture
def hub(tiny: Path) -> Iterator[Hub]:
    with hugging_face() as one:
        one.large_bytes = 1 << 40
        one.private.add("acme/tiny")
        one.put("acme/tiny", {path.name: path.read_bytes() for path in tiny.iterdir() if path.is_file()}, "v2")
        yield one


def test_a_model_that_a_flag_names_is_fetched_from_the_hub(shared: Installation, hub: Hub) -> None:
    pytest.importorskip("huggingface_hub", reason="not run: huggingface_hub is not installed")
    secret = {"metadata": {"name": "hub-token"}, "stringData": {"token": hub.token}}
    shared.api("/api/v1/namespaces/default/secrets", "POST", {"apiVersion": "v1", "kind": "Secret", **secret})
    token = {"secretKeyRef": {"name": "hub-token", "key": "token"}}
    model = {
        "modelFormat": {"name": "huggingface"},
        "args": ["--model_name=reader", "--model_id=acme/tiny", "--model_revision=v2"],
        "env": [{"name": "HF_ENDPOINT", "value": hub.url}, {"name": "HF_TOKEN", "valueFrom": token}],
    }

    apply(shared, [isvc("from-hub", {"model": model})])

    asked = {"model": "reader", **SHORT}
    assert ask(shared, "from-hub", "/openai/v1/chat/completions", asked).status == 200
