"""What a component of an InferenceService is made from: everything that makes it another version when it changes.

Between a manifest and its components stands this value, because an older version of a component is lowered again long
after the manifest says something else: a `Revision` keeps the template of its time, as JSON. Who may get requests, and
how many, is no part of it.

The way through: `templates_of` (lowering) reads a document and resolves its runtimes; `rollout.planned` says which
templates, new and kept, run under which names; `component_of` (lowering) makes a `Component` of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PREDICTOR, TRANSFORMER, EXPLAINER = "predictor", "transformer", "explainer"
ROLES = (PREDICTOR, TRANSFORMER, EXPLAINER)
"""The parts of an InferenceService, in the order that everything shows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentTemplate:
    """One component as a manifest asks for it.

    `spec` is the component's part of the defaulted manifest, as JSON, without `canaryTrafficPercent`; `runtime` is the
    serving runtime that was chosen for it, `{"kind", "name", "spec"}`, or `None` for a component of its own containers.
    `annotations` and `labels` are those of the InferenceService that reach its pods. `is_knative` is the mode.
    `canary` is the name of the canary (of `spec.canary`) that this predictor is; empty for the stable one.
    """

    namespace: str
    service: str
    """The InferenceService."""
    role: str
    spec: Mapping[str, Any]
    runtime: Mapping[str, Any] | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    is_knative: bool = True
    canary: str = ""
    fetch_env: list[Mapping[str, Any]] = field(default_factory=list)
    """Variables for the transfer of its model, as JSON."""

    @property
    def configuration(self) -> str:
        """The name that a cluster gives to the component, whatever its version."""
        return f"{self.service}-{self.role}"
