"""The dialect of Yatai: bentos, requests for them, and their deployments."""

from fairlead.dialects.bento.dialect import BentoDialect

__all__ = ["BentoDialect"]
