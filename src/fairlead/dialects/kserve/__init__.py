"""KServe's resources (`serving.kserve.io`) as plans."""

from fairlead.dialects.kserve.dialect import SHARED, KServeDialect

__all__ = ["SHARED", "KServeDialect"]
