"""`gateway`: requests of a cluster without Knative, and the pods that come and go with them."""

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from fairlead.cli.exits import UsageError
from fairlead.cli.operator import need_libraries, own_namespace

if TYPE_CHECKING:
    from fairlead.backends.kubernetes.operator import ClusterConfig
    from fairlead.pods.gateway.running import Options


def gateway(
    *,
    kubeconfig: Path | None = None,
    context: str = "",
    namespace: Annotated[list[str], Parameter(name=["--namespace", "-n"], negative="")] = [],  # noqa: B006
    own_namespace_name: Annotated[str, Parameter(name="--gateway-namespace", env_var="POD_NAMESPACE")] = "",
    host: str = "0.0.0.0",  # noqa: S104 - for the pods of the cluster
    port: int = 8080,
    demand_port: int = 8082,
    health_port: int = 8081,
    cluster_domain: str = "cluster.local",
    leader_election_id: str = "gateway.fairlead.dev",
    linger: float = 5.0,
    grace: float = 30.0,
    log_level: str = "INFO",
) -> int:
    """Route requests to workloads that scale with them, and scale those, on a Kubernetes cluster without Knative.

    Parameters
    ----------
    kubeconfig
        How to reach the cluster (default: the service account of the pod this runs in).
    context
        A context of the kubeconfig other than its current one.
    namespace
        Look after the workloads of this namespace alone; may be given several times (default: all).
    own_namespace_name
        Namespace of the gateways and their lease (default: $POD_NAMESPACE, or that of the pod).
    host
        Address of the ports below.
    port
        Port that takes requests: HTTP/1.1, HTTP/2 and gRPC (default: 8080).
    demand_port
        Port at which the gateway that leads asks the others what they measure (default: 8082).
    health_port
        Port of /healthz and /readyz (default: 8081).
    cluster_domain
        What names inside the cluster end with (default: cluster.local).
    leader_election_id
        Name of the lease of the gateway that scales.
    linger
        Seconds that requests are still taken after SIGTERM (default: 5).
    grace
        Seconds that they may take then (default: 30).
    log_level
        DEBUG, INFO (default), WARNING or ERROR.
    """
    for flag, number in (("--port", port), ("--demand-port", demand_port), ("--health-port", health_port)):
        if not 0 <= number <= 65535:
            raise UsageError(f"{flag} {number}: must be a port number, 0 to 65535")
    if linger < 0 or grace < 0:
        raise UsageError("--linger and --grace must not be less than 0")
    need_libraries()
    from fairlead.backends.kubernetes.operator import find_config, logs
    from fairlead.pods.gateway.running import Options, identity

    logs.configure(log_level.upper(), as_json=False)
    options = Options(
        namespace=own_namespace_name or own_namespace() or "fairlead-system",
        identity=os.environ.get("POD_NAME") or identity(),
        only=tuple(dict.fromkeys(namespace)),
        host=host,
        port=port,
        demand_port=demand_port,
        health_port=health_port,
        cluster_domain=cluster_domain,
        lease=leader_election_id,
        linger_s=linger,
        grace_s=grace,
    )
    import uvloop

    return uvloop.run(_until_told(find_config(kubeconfig, context), options))


async def _until_told(config: "ClusterConfig", options: "Options") -> int:
    from fairlead.pods.gateway.running import ClusterGateway

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    return await ClusterGateway(config, options).run(stop)
