"""The Seldon Core v1 dialect: SeldonDeployment manifests to plans, and a plan's status back.

What is named here is imported when it is asked for: a pod needs single modules of a dialect, at every start.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairlead.dialects.seldon.dialect import SeldonDialect

__all__ = ["SeldonDialect"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fairlead.dialects.seldon import dialect

    return getattr(dialect, name)
