"""GJSON paths: the language in which KServe's inference graphs say their conditions."""

from fairlead.protocols.gjson.evaluating import exists, get, parse
from fairlead.protocols.gjson.values import MISSING

__all__ = ["MISSING", "exists", "get", "parse"]
