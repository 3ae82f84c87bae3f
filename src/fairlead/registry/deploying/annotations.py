"""Annotations of a BentoDeployment's `spec.annotations` and of its runners' that say what no field says.

Those under `yatai.ai/` are upstream's; those under `fairlead.dev/` are ours.
"""

from fairlead.dialects.bento.deployment.annotations import COLD_START as COLD_START

STRATEGY = "yatai.ai/deployment-strategy"
FLAGS = {
    "enable_stealing_traffic_debug_mode": "yatai.ai/enable-stealing-traffic-debug-mode",
    "enable_debug_mode": "yatai.ai/enable-debug-mode",
    "enable_debug_pod_receive_production_traffic": "yatai.ai/enable-debug-pod-receive-production-traffic",
}
"""By the clients' names."""

INSTANCE_TYPE = "fairlead.dev/instance-type"
TRAFFIC = "fairlead.dev/traffic-control"
"""A client's `traffic_control`, as JSON."""
OVERRIDES = "fairlead.dev/config-overrides"
"""BentoML's own configuration of a service, as JSON."""
ACCESS = "fairlead.dev/auth"
"""Who may ask: `token` wants a token, `none` nothing."""
SECRETS = "fairlead.dev/secrets"
"""Names of secrets whose values are in the environment, with commas between."""
INJECTED = "fairlead.dev/derived"
"""Names of variables and annotations that follow from other words of the client, with commas between."""
CANARY = "fairlead.dev/canary"
"""The other bentos that get some of the requests, as JSON."""

OURS = (INSTANCE_TYPE, COLD_START, TRAFFIC, OVERRIDES, ACCESS, SECRETS, INJECTED, CANARY)
WRITTEN = (STRATEGY, *FLAGS.values(), *OURS)
"""All that follow from what clients send. Others belong to whoever put them there, and stay."""
