"""Keeps the certificate of the webhooks: in a Secret that all replicas share, and its authorities in the webhooks'
configurations, where the API server looks for whom to trust.

Whoever finds it due makes it; of two that do so at once the API lets one win, and the other takes what that one wrote.
A replica shows a certificate only after it has seen its authority in every configuration, so none is shown that an API
server would refuse. Where cert-manager keeps the Secret and the configurations, this only reads.
"""

import base64
import binascii
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fairlead.backends.kubernetes.webhooks.certificates import Certificates, ends, is_due, made
from fairlead.errors import Conflict, FairleadError, NotReady

Document = dict[str, Any]
LOOK_EVERY_S = 60.0
"""How long other replicas go without a certificate that one of them renewed: old and new are trusted, so no hurry."""
LOOK_SOON_S = 2.0
"""While something is missing: an installation makes Deployment, Secret and configurations within moments."""
_CERTIFICATE, _KEY, _AUTHORITIES = "tls.crt", "tls.key", "ca.crt"
_log = logging.getLogger(__name__)


class CertificateStore(Protocol):
    """Where a cluster has the certificate and the webhooks' configurations."""

    async def read(self) -> Document | None:
        """The Secret."""
        ...

    async def write(self, secret: Document) -> None:
        """Replace the Secret, or create it when it has no `resourceVersion`. Raises `Conflict` when it changed."""
        ...

    async def configurations(self) -> Sequence[Document]:
        """The configurations of our webhooks that are there."""
        ...

    async def trust(self, configuration: Document, authorities: str) -> None:
        """Set the `caBundle` (base64) of every webhook of a configuration."""
        ...

    async def convert(self, authorities: str) -> bool:
        """Have the definitions of kinds with converted versions ask us, and trust these; whether they are there."""
        ...


@dataclass(slots=True)
class CertificateKeeper:
    """`show` is called with every certificate that is to be used from then on. `names` are the server's; `secret` is
    where it lies (namespace, name). One that is not `is_ours` is somebody else's to make."""

    store: CertificateStore
    names: Sequence[str]
    secret: tuple[str, str]
    show: Callable[[Certificates], None]
    clock: Callable[[], datetime]
    is_ours: bool = True
    _shown: Certificates | None = None

    @property
    def is_serving(self) -> bool:
        """Whether there is a certificate."""
        return self._shown is not None

    async def run(self, pause: Callable[[float], Awaitable[None]]) -> None:
        """Look again and again. What fails is told once and tried at the next look."""
        told = ""
        while True:
            try:
                is_settled = await self.look()
                told = ""
            except (FairleadError, ValueError, ssl.SSLError) as error:
                is_settled = False
                if (why := str(error)) != told:
                    _log.warning("webhook certificates: %s", why)
                told = why
            await pause(LOOK_EVERY_S if is_settled else LOOK_SOON_S)

    async def look(self) -> bool:
        """See that there is a certificate, that it is trusted, and that it is shown. Whether nothing is missing."""
        found = await (self._renewed() if self.is_ours else self._stored())
        if found is None:
            raise NotReady(f"{'/'.join(self.secret)} has none yet")
        is_trusted = await self._spread(found) if self.is_ours else True
        is_asked = await self.store.convert(base64.b64encode(found.authorities).decode())
        if found != self._shown:
            self.show(found)
            self._shown = found
            _log.info("webhook certificates: serving one that is valid until %s", ends(found))
        return is_trusted and is_asked

    async def _stored(self) -> Certificates | None:
        return _read(await self.store.read())

    async def _renewed(self) -> Certificates | None:
        secret = await self.store.read()
        found, now = _read(secret), self.clock()
        if found is not None and not is_due(found, self.names, now=now):
            return found
        new = made(self.names, now=now, before=found)
        try:
            await self.store.write(self._secret(new, secret))
        except Conflict:
            # Another replica was quicker; what it wrote is as good.
            return await self._stored()
        return new

    async def _spread(self, found: Certificates) -> bool:
        """Have it trusted; whether there was anybody to do so."""
        wanted = base64.b64encode(found.authorities).decode()
        configurations = await self.store.configurations()
        for configuration in configurations:
            hooks = configuration.get("webhooks") or []
            if any((hook.get("clientConfig") or {}).get("caBundle") != wanted for hook in hooks):
                await self.store.trust(configuration, wanted)
        return bool(configurations)

    def _secret(self, new: Certificates, old: Document | None) -> Document:
        """The Secret with new certificates: what is stored with its data replaced, so that an update of somebody else
        in between is a conflict."""
        namespace, name = self.secret
        base = old or {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": name, "namespace": namespace},
        }
        pairs = ((_CERTIFICATE, new.certificate), (_KEY, new.key), (_AUTHORITIES, new.authorities))
        return {**base, "data": {key: base64.b64encode(value).decode() for key, value in pairs}}


def _read(secret: Document | None) -> Certificates | None:
    """What a Secret holds; `None` for one that is empty or no certificate at all."""
    data = (secret or {}).get("data") or {}
    try:
        parts = [base64.b64decode(data[key], validate=True) for key in (_CERTIFICATE, _KEY, _AUTHORITIES)]
    except (KeyError, TypeError, binascii.Error):
        return None
    return Certificates(certificate=parts[0], key=parts[1], authorities=parts[2])
