"""Certificates of host names: out of Secrets into files that the gateway can read, and away again.

Certificate and key are one file, so that a reader never sees one without the other. Keys are nowhere else on the disk:
the gateway's table has the file's name and a digest of the certificate alone.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from fairlead.backends.base import Lookup
from fairlead.backends.local.home import Home
from fairlead.plan.model import Plan
from fairlead.plan.routing import HostCertificate

CERTIFICATE, KEY = "tls.crt", "tls.key"


class Certifier:
    """Keeps the files of the plans it was shown."""

    def __init__(self, home: Home, lookup: Lookup) -> None:
        self._home, self._lookup = home, lookup
        self._marks: dict[Path, str] = {}

    async def fetch(self, plan: Plan) -> list[str]:
        """Write what the plan's Secrets hold now; what is wrong with them comes back, one sentence each."""
        problems: list[str] = []
        for name in dict.fromkeys(one.secret for one in plan.certificates):
            file = self._file(plan, name)
            secret = await self._lookup.secret(plan.owner.namespace, name)
            values = {} if secret is None else secret.values
            missing = [key for key in (CERTIFICATE, KEY) if not values.get(key)]
            if missing:
                self._marks.pop(file, None)
                file.unlink(missing_ok=True)
                problems.append(
                    f"Secret {name!r}, which ssl.certSecretName names, "
                    + ("does not exist" if secret is None else f"has no {' and no '.join(missing)}")
                )
                continue
            whole = values[CERTIFICATE].rstrip() + b"\n" + values[KEY].rstrip() + b"\n"
            await asyncio.to_thread(_write, file, whole)
            self._marks[file] = hashlib.sha256(values[CERTIFICATE]).hexdigest()[:16]
        return problems

    def of(self, plan: Plan) -> tuple[HostCertificate, ...]:
        """What the gateway is to show for the plan."""
        found = ((one, self._file(plan, one.secret)) for one in plan.certificates)
        return tuple(
            HostCertificate(hosts=one.hosts, path=str(file), mark=self._marks[file])
            for one, file in found
            if file in self._marks
        )

    def sweep(self, plans: Iterable[Plan]) -> None:
        """Remove the files that none of these plans names."""
        wanted = {self._file(plan, one.secret) for plan in plans for one in plan.certificates}
        for file in self._home.certificates.glob("*/*"):
            if file not in wanted:
                self._marks.pop(file, None)
                file.unlink(missing_ok=True)
                with suppress(OSError):
                    file.parent.rmdir()  # unless another is in it

    def _file(self, plan: Plan, secret: str) -> Path:
        return self._home.certificates / plan.owner.namespace / f"{secret}.pem"


def _write(file: Path, content: bytes) -> None:
    """Replace it whole, readable by its owner alone from the first byte."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(OSError):
        if file.read_bytes() == content:
            return
    fresh = file.with_suffix(".partial")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened:
        opened.write(content)
    fresh.replace(file)
