"""The one public data port of a machine: routing, weights, mirrors, waiting, limits, metrics.

A process of its own, so that it serves on while the control process restarts. `GatewayClient` talks to it.
"""

from fairlead.backends.local.gateway.client import GatewayClient
from fairlead.backends.local.gateway.messages import ComponentDemand, Demand, GatewayStats, PoolStats

__all__ = ["ComponentDemand", "Demand", "GatewayClient", "GatewayStats", "PoolStats"]
