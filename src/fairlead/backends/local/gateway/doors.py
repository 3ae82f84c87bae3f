"""Who may ask a deployment that does not answer everybody: tokens of the installation, and those that an issuer signs.

Control says which tokens there are, by their digests, and what issuers' keys are; the gateway asks nobody. What it was
told last is kept beside the table, for a gateway that starts while nobody tells it anything. A head that passed once
passes again without another look, until its token ends or control tells something new: 0.1 us instead of 4 for a token
and 94 for a signature that was not seen before (bench/gateway_access).
"""

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fairlead.backends.local.gateway.finding import Forward
from fairlead.backends.local.gateway.messages import Admit, KnownToken
from fairlead.backends.local.gateway.switchboard import CompiledRoute
from fairlead.errors import ConfigError, FairleadError, Forbidden, NotReady, Unauthorized
from fairlead.plan.access import Access, AccessMode
from fairlead.plan.routing import Service
from fairlead.protocols import jwts
from fairlead.protocols.exchange import Request

if TYPE_CHECKING:
    from jwt import PyJWK

log = logging.getLogger(__name__)
_NAME = b"authorization"
_MOST_KEPT = 4096


class Doors:
    """What control told, and the check. `clock` tells the time of day."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._told: Admit | None = None
        self._tokens: dict[bytes, KnownToken] = {}
        self._keys: dict[str, tuple[PyJWK, ...]] = {}
        self._verified: dict[tuple[bytes, str, str], float] = {}
        self._mark = object()

    def load(self) -> None:
        """Know what was told before this process was."""
        try:
            self._use(msgspec.json.decode(self._path.read_bytes(), type=Admit))
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            log.error("%s cannot be read (%s); deployments that ask for tokens wait for control", self._path, error)

    def admit(self, told: Admit) -> None:
        """Go by this from now on. Raises ConfigError when it is in force and cannot be kept."""
        if told == self._told:
            return
        self._use(told)
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(told))
            fresh.replace(self._path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise ConfigError(f"{self._path}: cannot be written: {error.strerror or error}") from error

    def _use(self, told: Admit) -> None:
        self._told = told
        self._tokens = {token.digest: token for token in told.tokens}
        self._keys = {each.issuer: jwts.read_keys(msgspec.json.decode(each.keys)) for each in told.issuers}
        self._verified.clear()
        self._mark = object()

    def refusal(self, route: CompiledRoute, forward: Forward, request: Request) -> FairleadError | None:
        """Why a request may not pass; None if it may. A token of ours does not go on to the worker."""
        now = self._clock()
        if forward.passed is self._mark and now < forward.passes_until:
            return None
        service = route.service
        try:
            until = self._check(service, _bearer(request), now)
        except FairleadError as error:
            return error
        if service.access.mode is AccessMode.TOKEN:
            forward.head = without_credentials(forward.head)
        if forward.route is route:
            forward.passed, forward.passes_until = self._mark, until
        return None

    def _check(self, service: Service, token: bytes, now: float) -> float:
        """Until when the token lets pass."""
        if self._told is None:
            raise NotReady("who may ask is not known here yet", after_s=1.0)
        if not token:
            raise Unauthorized(f"{service.namespace}/{service.name} asks for a token: Authorization: Bearer …")
        if service.access.mode is AccessMode.TOKEN:
            return self._check_ours(service, token, now)
        return self._check_signed(service.access, token, now)

    def _check_ours(self, service: Service, token: bytes, now: float) -> float:
        # The digest is what is compared, so how long that takes tells nothing of any token.
        known = self._tokens.get(hashlib.sha256(token).digest())
        if known is None or (known.expires_at is not None and known.expires_at <= now):
            raise Unauthorized("the token is not known here, or has ended")
        if known.namespaces and service.namespace not in known.namespaces:
            raise Forbidden(f"the token does not reach the namespace {service.namespace}")
        return float("inf") if known.expires_at is None else known.expires_at

    def _check_signed(self, access: Access, token: bytes, now: float) -> float:
        key = hashlib.sha256(token).digest(), access.issuer, access.audience
        until = self._verified.get(key)
        if until is not None and now < until:
            return until
        keys = self._keys.get(access.issuer)
        if keys is None:
            raise NotReady(f"the keys of {access.issuer} are not known here yet", after_s=1.0)
        text = token.decode("latin-1")
        claims = jwts.verify(text, keys, issuer=access.issuer, audience=access.audience, now=now)
        until = float(claims["exp"]) + jwts.LEEWAY_S
        if len(self._verified) >= _MOST_KEPT:
            self._verified.clear()
        self._verified[key] = until
        return until


def _bearer(request: Request) -> bytes:
    """The one token of a request; two are none, because another reader could take the other."""
    given = [value for name, value in request.headers if name == _NAME]
    scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    return token.strip() if scheme.lower() == b"bearer" else b""


def without_credentials(head: bytes) -> bytes:
    """A request's head as it is framed, without its Authorization."""
    if b"\0authorization\0" not in head:
        return head
    parts = head.split(b"\0")
    pairs = list(zip(parts[3::2], parts[4::2], strict=True))
    return b"\0".join([*parts[:3], *(part for pair in pairs if pair[0] != _NAME for part in pair)])
