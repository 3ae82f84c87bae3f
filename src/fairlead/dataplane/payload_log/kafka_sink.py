"""Events as Kafka records: the payload is the value, the event's attributes are headers.

librdkafka batches and sends on a thread of its own; `send` waits for the broker's word only when its queue is full, and
what the broker refuses is a failure of a later `send`.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fairlead.dataplane.payload_log.event import Event
from fairlead.errors import Retryable
from fairlead.runtimes.libraries import need

_log = logging.getLogger(__name__)

DEFAULT_TOPIC = "seldon"
_FLUSH_S = 5.0
# Seldon's variables and librdkafka's names for them.
_SECURITY = {
    "KAFKA_SECURITY_PROTOCOL": "security.protocol",
    "KAFKA_SSL_CA_CERT": "ssl.ca.pem",
    "KAFKA_SSL_CA_CERT_FILE": "ssl.ca.location",
    "KAFKA_SSL_CLIENT_CERT": "ssl.certificate.pem",
    "KAFKA_SSL_CLIENT_CERT_FILE": "ssl.certificate.location",
    "KAFKA_SSL_CLIENT_KEY": "ssl.key.pem",
    "KAFKA_SSL_CLIENT_KEY_FILE": "ssl.key.location",
    "KAFKA_SSL_CLIENT_KEY_PASS": "ssl.key.password",
    "KAFKA_SASL_USERNAME": "sasl.username",
    "KAFKA_SASL_PASSWORD": "sasl.password",
    "KAFKA_SASL_MECHANISM": "sasl.mechanisms",
}


class KafkaSink:
    """A `Sink` for `kafka://broker[:port][,broker…]/topic`. `env` holds the security settings."""

    def __init__(self, url: str, env: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        library = need("confluent_kafka", extra="kafka")
        self._topic = parts.path.strip("/") or DEFAULT_TOPIC
        self._problem = ""
        settings = {ours: env[theirs] for theirs, ours in _SECURITY.items() if env.get(theirs)}
        self._brokers = parts.netloc
        self._is_down = False
        # Its own log is a line for every attempt to connect; `_failed` says it once.
        own = {"bootstrap.servers": parts.netloc, "client.id": f"fairlead-{os.getpid()}", "log_level": 0}
        own["error_cb"] = self._failed
        self._producer = library.Producer(own | settings)

    def send(self, event: Event) -> None:
        """Hand it to the producer."""
        headers = [(name, value) for name, value in event.attributes.items()]
        headers.append(("content-type", event.content_type))
        try:
            self._producer.produce(self._topic, event.data, headers=headers, on_delivery=self._delivered)
        except BufferError:
            self._producer.poll(1.0)
            self._producer.produce(self._topic, event.data, headers=headers, on_delivery=self._delivered)
        self._producer.poll(0)
        if self._problem:
            problem, self._problem = self._problem, ""
            raise Retryable(f"the broker did not take an event: {problem}")

    def close(self) -> None:
        """Wait a little for what is under way."""
        self._producer.flush(_FLUSH_S)

    def _delivered(self, error: Any, _record: Any) -> None:
        if error is not None:
            self._problem = str(error)
        elif self._is_down:
            self._is_down = False
            _log.info("payload log: Kafka at %s takes events again", self._brokers)

    def _failed(self, error: Any) -> None:
        """What concerns the connection and no event in particular: events wait until their time is over."""
        if not self._is_down:
            self._is_down = True
            _log.warning("payload log: Kafka at %s: %s; events wait for it", self._brokers, error)
