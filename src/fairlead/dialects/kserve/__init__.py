"""KServe's resources (`serving.kserve.io`) as plans.

What is named here is imported when it is asked for: a pod needs single modules of a dialect, at every start, and not
the other hundred.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairlead.dialects.kserve.dialect import SHARED, KServeDialect

__all__ = ["SHARED", "KServeDialect"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fairlead.dialects.kserve import dialect

    return getattr(dialect, name)
