"""OpenAI's endpoints of a manifest's model, through the gateway of a whole installation."""

import json
from pathlib import Path

import pytest

from support.instance import Installation, call
from support.manifests import sdep
from support.tiny_transformers import CHAT_TEMPLATE, save_tiny

pytestmark = pytest.mark.slow

JSON = {"Content-Type": "application/json"}


def test_a_huggingface_server_answers_openais_requests(shared: Installation, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "writer", "text-generation", positions=64, chat_template=CHAT_TEMPLATE)
    graph = {"name": "writer", "implementation": "HUGGINGFACE_SERVER", "modelUri": str(folder)}
    shared.apply(sdep("writer", {"name": "main", "graph": graph, "replicas": 1}, protocol="v2"))
    shared.wait_for("writer")
    base = f"{shared.url}/seldon/default/writer"
    asked = {
        "model": "writer",
        "messages": [{"role": "user", "content": "a film"}],
        "max_tokens": 4,
        "ignore_eos": True,
    }

    listed = call(f"{base}/openai/v1/models")
    whole = call(f"{base}/openai/v1/chat/completions", "POST", json.dumps(asked).encode(), JSON)
    streamed = call(f"{base}/v1/chat/completions", "POST", json.dumps(asked | {"stream": True}).encode(), JSON)

    assert listed.json()["data"][0]["id"] == "writer"
    assert whole.json()["usage"]["completion_tokens"] == 4
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.body.endswith(b"data: [DONE]\n\n")
