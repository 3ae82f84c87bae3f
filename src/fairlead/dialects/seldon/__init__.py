"""The Seldon Core v1 dialect: SeldonDeployment manifests to plans, and a plan's status back."""

from fairlead.dialects.seldon.dialect import SeldonDialect

__all__ = ["SeldonDialect"]
