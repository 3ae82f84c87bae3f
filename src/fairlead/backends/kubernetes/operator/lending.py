"""The connections that kopf watches over: lent by us, because it leaves open some of those that it makes itself.

Stopped while it asks what is served, it closes its connections first, and what is still asking opens the next. Ours
also show when it lists, of which it tells nobody when the list is empty.
"""

from collections.abc import Callable, Iterable
from typing import Any, Self

import aiohttp
import kopf
from lightkube.config.kubeconfig import SingleConfig

from fairlead.backends.kubernetes.operator.connecting import authorization
from fairlead.backends.kubernetes.operator.resources import ResourceType, TypeKey


class Lending:
    """For one run of kopf, in its loop. `listed` is called with each of `kinds` of which a list, or a page, has come.
    What was lent is closed at the end of the block."""

    def __init__(self, config: SingleConfig, kinds: Iterable[ResourceType], listed: Callable[[TypeKey], None]) -> None:
        self._config = config
        self._kinds = tuple(kinds)
        self._listed = listed
        self._proof: kopf.ConnectionInfo | None = None
        self._lent: kopf.AiohttpSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def login(self, **_: Any) -> kopf.AiohttpSession:
        """What kopf asks for at first, and whenever the API server has refused what it had."""
        proof = _proof(self._config, await authorization(self._config))
        # With nothing else to show, the very same again tells kopf to give up; it would go on for ever with another.
        if self._lent is None or proof != self._proof:
            await self._close()
            self._proof, self._lent = proof, self._connected(proof)
        return self._lent

    async def _close(self) -> None:
        lent, self._lent = self._lent, None
        if lent is not None:
            await lent.aiohttp_session.close()

    def _connected(self, proof: kopf.ConnectionInfo) -> kopf.AiohttpSession:
        # To read the system's certificates takes longer than all else here, and a server without TLS shows none.
        ssl = proof.as_ssl_context() if proof.server.startswith("https:") else True
        connector = aiohttp.TCPConnector(limit=0, ssl=ssl)  # a watch holds a connection for as long as it lasts
        tracing = aiohttp.TraceConfig()
        tracing.on_request_end.append(self._answered)
        session = aiohttp.ClientSession(connector=connector, headers=proof.as_http_headers(), trace_configs=[tracing])
        return kopf.AiohttpSession(server=proof.server, aiohttp_session=session)

    async def _answered(self, _session: object, _context: object, answer: aiohttp.TraceRequestEndParams) -> None:
        if answer.response.ok and "watch" not in answer.url.query:
            for kind in self._kinds:
                if _is_list_of(kind, answer.url.path):
                    self._listed(kind.key)


def _proof(config: SingleConfig, authorization: str) -> kopf.ConnectionInfo:
    """How the API server is known, and how we are."""
    cluster, user = config.cluster, config.user
    scheme, _space, token = authorization.partition(" ")

    def path(given: str | None) -> str | None:
        return None if given is None else str(config.abs_file(given))

    has_certificate = user is not None and bool(user.client_cert or user.client_cert_data)
    return kopf.ConnectionInfo(
        server=cluster.server,
        ca_path=path(cluster.certificate_auth),
        ca_data=None if cluster.certificate_auth else cluster.certificate_auth_data,
        insecure=cluster.insecure,
        scheme=scheme or None,
        token=token or None,
        certificate_path=path(user.client_cert) if user and has_certificate and not user.client_cert_data else None,
        certificate_data=user.client_cert_data if user and has_certificate else None,
        private_key_path=path(user.client_key) if user and has_certificate and not user.client_key_data else None,
        private_key_data=user.client_key_data if user and has_certificate else None,
    )


def _is_list_of(kind: ResourceType, path: str) -> bool:
    version = f"/apis/{kind.group}/{kind.versions[0]}/" if kind.group else f"/api/{kind.versions[0]}/"
    return version in path and path.endswith(f"/{kind.plural}")
