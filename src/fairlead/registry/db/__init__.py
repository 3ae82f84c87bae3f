"""The registry's database, and the only modules of the registry that know SQL."""

from sqlalchemy.ext.asyncio import AsyncConnection as Connection

__all__ = ["Connection"]
