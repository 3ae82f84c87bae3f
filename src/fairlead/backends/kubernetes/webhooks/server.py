"""The HTTPS server that an API server asks. Thin: it reads and writes bytes, and the `Reviewer` decides.

It serves from the moment that there is a certificate and changes to a new one without closing anything: connections
keep theirs, new ones get the new one.
"""

import json
import logging
import ssl
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from fairlead.backends.kubernetes.webhooks.certificates import Certificates
from fairlead.backends.kubernetes.webhooks.reviewing import Reviewer
from fairlead.errors import BadRequest, FairleadError

# An API server takes objects of 3 MiB, and a review of an update has two of them.
_MAX_BODY = 16 << 20
_log = logging.getLogger(__name__)


class WebhookServer:
    """Serves inside `async with`; `present` gives it its first certificate, which it listens without until then:
    handshakes fail, which an API server takes like a server that is not there."""

    def __init__(self, reviewer: Reviewer, *, host: str, port: int) -> None:
        self._reviewer = reviewer
        self._host, self._wanted_port = host, port
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._closing = AsyncExitStack()
        self.port = 0
        """The port that it listens on."""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_post("/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        self._closing.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, self._host, self._wanted_port, ssl_context=self._tls)
        try:
            await site.start()
        except BaseException:
            await self._closing.aclose()
            raise
        self.port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    def present(self, found: Certificates) -> None:
        """Show this certificate to whoever connects from now on."""
        # The ssl module takes a certificate chain from a file only; this one is ours alone and gone at once.
        with tempfile.TemporaryDirectory(prefix="fairlead-") as folder:
            pair = Path(folder) / "pair.pem"
            pair.touch(mode=0o600)
            pair.write_bytes(found.certificate + b"\n" + found.key)
            self._tls.load_cert_chain(pair)

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            return _json(200, self._reviewer.answer(request.path, _decoded(await request.read())))
        except FairleadError as error:
            return _json(error.http, {"kind": "Status", "code": error.http, "message": str(error)})
        except web.HTTPException:
            raise
        except Exception:
            # A bug of ours must not end the connection of an API server: it is told, and `failurePolicy` decides.
            _log.exception("webhook %s failed", request.path)
            return _json(500, {"kind": "Status", "code": 500, "message": "internal error; the operator's log has it"})


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise BadRequest(f"the body is no JSON: {problem}") from problem


def _json(status: int, body: Any) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")
