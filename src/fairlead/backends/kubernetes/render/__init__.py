"""From a layout to Kubernetes objects. Pure: nothing here reads a file, a clock or a cluster."""

from fairlead.backends.kubernetes.render.layouts import render, rendered
from fairlead.backends.kubernetes.render.written import Written

__all__ = ["Written", "render", "rendered"]
