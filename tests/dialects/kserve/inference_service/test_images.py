import pytest

from fairlead.dialects.kserve.inference_service.images import tagged

GPU = {"limits": {"nvidia.com/gpu": 1}}


@pytest.mark.parametrize(
    ("image", "version", "server", "resources", "expected"),
    [
        ("kserve/sklearnserver:latest", "", "sklearnserver", {}, "kserve/sklearnserver:latest"),
        ("kserve/sklearnserver:latest", "v0.15", "sklearnserver", {}, "kserve/sklearnserver:v0.15"),
        ("localhost:5000/sklearnserver", "v1", "sklearnserver", {}, "localhost:5000/sklearnserver:v1"),
        ("a/b@sha256:00", "v1", "sklearnserver", GPU, "a/b@sha256:00"),
        ("kserve/huggingfaceserver:latest", "", "huggingfaceserver", GPU, "kserve/huggingfaceserver:latest-gpu"),
        (
            "a/torchserve-kfs:0.9.0",
            "",
            "torchserve",
            {"requests": {"nvidia.com/gpu": "2"}},
            "a/torchserve-kfs:0.9.0-gpu",
        ),
        ("kserve/sklearnserver:latest", "", "sklearnserver", GPU, "kserve/sklearnserver:latest"),
        ("vllm/vllm-openai:latest", "", "vllmserver", {}, "vllm/vllm-openai-cpu:latest"),
        ("vllm/vllm-openai:latest", "", "vllmserver", GPU, "vllm/vllm-openai:latest"),
    ],
)
def test_the_tag_follows_the_version_and_the_devices(
    image: str, version: str, server: str, resources: dict[str, object], expected: str
) -> None:
    assert tagged(image, runtime_version=version, server_type=server, resources=resources) == expected
