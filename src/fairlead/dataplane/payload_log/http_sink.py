"""Events over HTTP in CloudEvents' binary mode, on one connection that is kept."""

import http.client
import ssl
from urllib.parse import urlsplit

from fairlead.dataplane.payload_log.event import Event
from fairlead.errors import Retryable

_TIMEOUT_S = 10.0


class HttpSink:
    """A `Sink` for `http://` and `https://`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if parts.scheme == "https":
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            self._connection = http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_S)

    def send(self, event: Event) -> None:
        """Post it; once more when a connection that was idle turns out to be closed."""
        was_open = self._connection.sock is not None
        try:
            self._post(event)
        except (ConnectionError, http.client.RemoteDisconnected, http.client.CannotSendRequest):
            self._connection.close()
            if not was_open:
                raise
            self._post(event)

    def close(self) -> None:
        self._connection.close()

    def _post(self, event: Event) -> None:
        headers = {f"Ce-{name.capitalize()}": value for name, value in event.attributes.items()}
        self._connection.request("POST", self._path, event.data, {**headers, "Content-Type": event.content_type})
        answer = self._connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise Retryable(f"the sink answered {answer.status} {answer.reason}")
