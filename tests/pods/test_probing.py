"""A container's own readiness probe, as the agent is told it."""

import pytest

from fairlead.errors import ConfigError
from fairlead.pods.probing import Probe, probe_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Probe(port=8080)),
        ('{"tcpSocket": {"port": 9000}}', Probe(port=9000)),
        ('{"exec": {"command": ["true"]}}', Probe(port=8080)),
        ('{"httpGet": {"path": "/v1/models", "port": "user-port"}}', Probe(port=8080, path="/v1/models")),
        ('{"httpGet": {"port": 0}}', Probe(port=8080, path="/")),
        (
            '{"httpGet": {"path": "/x", "port": 1, "scheme": "HTTPS"}, "timeoutSeconds": 3}',
            Probe(port=1, path="/x", is_tls=True, timeout_s=3.0),
        ),
        (
            '{"httpGet": {"path": "/x", "httpHeaders": [{"name": "A", "value": "b"}]}}',
            Probe(port=8080, path="/x", headers=(("A", "b"),)),
        ),
    ],
)
def test_a_probe_in_kubernetes_words(text: str, expected: Probe) -> None:
    assert probe_of(text, 8080) == expected


@pytest.mark.parametrize("text", ["{", "[]"])
def test_what_is_no_probe_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="SERVING_READINESS_PROBE"):
        probe_of(text, 8080)
