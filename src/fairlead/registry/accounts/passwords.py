"""Passwords: argon2id, in a thread, and as long to refuse an unknown name as a wrong password."""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

from fairlead.errors import BadRequest

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 8, 1024
# A hash takes 64 MiB for 50 ms: without a bound, guessers could fill the memory.
_AT_ONCE = 2


class Passwords:
    """Makes and checks hashes. Tests hand in a cheaper hasher."""

    def __init__(self, hasher: "PasswordHasher | None" = None) -> None:
        self._given = hasher
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._nobodys = ""

    async def hash(self, password: str) -> str:
        """Raises BadRequest for one too short to be worth it."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise BadRequest(f"password: must have {SHORTEST} to {LONGEST} characters")
        return await self._hashed(password)

    async def verify(self, known: str, password: str) -> bool:
        """Whether the password made the hash; `known` is empty for who has none, and takes as long."""
        if not known and not self._nobodys:
            self._nobodys = await self._hashed("nobody's")
        async with self._slots:
            is_right = await asyncio.to_thread(self._matches, known or self._nobodys, password[:LONGEST])
        return is_right and bool(known)

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        # With the first password: nobody who runs on one machine has any.
        from argon2 import PasswordHasher

        return self._given or PasswordHasher()

    async def _hashed(self, password: str) -> str:
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    def _matches(self, known: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False
