"""`fairlead install` and `fairlead uninstall`: the operator and what it needs, into a Kubernetes cluster and out of it.

A cluster is meant by these words themselves, so the kubeconfig is found as kubectl finds it; which cluster that is gets
said before anything is done.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.durations import seconds
from fairlead.cli.exits import CommandFailed, TimedOut
from fairlead.cli.operator import need_libraries
from fairlead.cli.reading import dialects
from fairlead.cli.rendering import read_values
from fairlead.errors import DeadlineExceeded

if TYPE_CHECKING:
    from fairlead.backends.kubernetes.install.applying import Installer
    from fairlead.backends.kubernetes.install.installation import Installation
    from fairlead.backends.kubernetes.install.listing import Listing

_CALL_TIMEOUT_S = 30.0
_Namespace = Annotated[str, Parameter(name=["--namespace", "-n"])]
_Flag = Annotated[bool, Parameter(negative="")]


def install(
    *,
    values: Path | None = None,
    namespace: _Namespace = "fairlead-system",
    dry_run: _Flag = False,
    take_over: _Flag = False,
    timeout: str = "5m",
    kubeconfig: Path | None = None,
    context: str = "",
) -> int:
    """Install the operator into a Kubernetes cluster, or upgrade the one that is there.

    Returns when the operator is ready. A second run changes nothing that is as it should be.

    Parameters
    ----------
    values
        Values file, as the Helm chart takes it.
    namespace
        Where the operator goes (fairlead-system).
    dry_run
        Print the objects and touch no cluster.
    take_over
        Stop operators of Seldon Core and KServe that run in the cluster, and delete their webhooks. Everything else
        of theirs stays, and what they made for resources is adopted.
    timeout
        Longest wait for the operator, such as 90s (default: 5m).
    kubeconfig
        How to reach the cluster, such as ~/.kube/config (needed, but in a pod of it). KUBECONFIG is not read.
    context
        A context of the kubeconfig other than its current one.
    """
    timeout_s = seconds(timeout)
    installation = _installation(values, namespace)
    listing = _listing(installation)
    if dry_run:
        from fairlead.backends.kubernetes.text import yaml_of

        output.say(yaml_of(listing.all()).rstrip("\n"))
        return 0

    async def work(installer: "Installer") -> None:
        await _make_way(installer, installation, take_over=take_over)
        try:
            await installer.install(listing, timeout_s=timeout_s)
        except DeadlineExceeded as problem:
            raise TimedOut(str(problem)) from problem

    _in_cluster(kubeconfig, context, work)
    output.note(f"Fairlead is ready in namespace {installation.namespace}.")
    return 0


def uninstall(
    *,
    values: Path | None = None,
    namespace: _Namespace = "fairlead-system",
    with_crds: _Flag = False,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="")] = False,
    kubeconfig: Path | None = None,
    context: str = "",
) -> int:
    """Take the operator out of a Kubernetes cluster. Models go on running.

    Custom resource definitions, resources, the namespace, and settings or runtimes that somebody edited stay.

    Parameters
    ----------
    values
        The values file that it was installed with.
    namespace
        Where the operator is (fairlead-system).
    with_crds
        Delete the definitions too, and with them EVERY resource of these kinds in the whole cluster, and what was
        made for them.
    yes
        Do so without asking for a second thought.
    kubeconfig
        How to reach the cluster, such as ~/.kube/config (needed, but in a pod of it). KUBECONFIG is not read.
    context
        A context of the kubeconfig other than its current one.
    """
    installation = _installation(values, namespace)
    listing = _listing(installation)

    async def work(installer: "Installer") -> None:
        if with_crds and not yes and (lost := await installer.counted(listing)):
            counts = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in lost.items())
            raise CommandFailed(f"--with-crds deletes {counts} with all that runs for them; add --yes if that is meant")
        await installer.uninstall(listing, with_definitions=with_crds)

    _in_cluster(kubeconfig, context, work)
    if not with_crds:
        output.note("Definitions and resources are still there, and models run on.")
    output.note(f"The namespace is left to you: kubectl delete namespace {installation.namespace}")
    return 0


def _installation(values: Path | None, namespace: str) -> "Installation":
    need_libraries()
    from fairlead.backends.kubernetes.install.installation import Installation

    read = read_values(values)
    for warning in read.warnings:
        output.note(f"warning: {warning}")
    return Installation.of(read.settings.values, namespace=namespace)


def _listing(installation: "Installation") -> "Listing":
    from fairlead.backends.kubernetes.install.listing import listing
    from fairlead.dialects.kserve.cluster_seeds import cluster_seeds

    return listing(installation, dialects(), cluster_seeds(installation.settings))


def _in_cluster(kubeconfig: Path | None, context: str, work: "Callable[[Installer], Awaitable[None]]") -> None:
    from fairlead.backends.kubernetes.install.applying import Installer
    from fairlead.backends.kubernetes.install.cluster import Cluster
    from fairlead.backends.kubernetes.operator.connecting import connect, find_config

    config = find_config(kubeconfig, context)
    output.note(f"Cluster: {config.cluster.server} (context {config.context_name})")

    async def run() -> None:
        client: Any = connect(config, timeout_s=_CALL_TIMEOUT_S)
        async with client:
            await work(Installer(cluster=Cluster(client), say=output.say, now=time.monotonic, sleep=asyncio.sleep))

    asyncio.run(run())


async def _make_way(installer: "Installer", installation: "Installation", *, take_over: bool) -> None:
    from fairlead.backends.kubernetes.install import upstream

    groups = {kind.group for dialect in dialects() for kind in dialect.kinds if not kind.is_read_only}
    found = await upstream.find(installer.cluster, groups, installation.cluster_name)
    if not found:
        return
    if not take_over:
        raise CommandFailed(found.advice())
    for line in await upstream.end(installer.cluster, found):
        output.say(line)
