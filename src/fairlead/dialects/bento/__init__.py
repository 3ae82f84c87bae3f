"""The dialect of Yatai: bentos, requests for them, and their deployments."""

from fairlead.dialects.bento.dialect import SHARED, BentoDialect

__all__ = ["SHARED", "BentoDialect"]
