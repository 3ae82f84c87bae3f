"""Containers and pods whose fields stand beside those of a larger object, as kinds that inline core/v1 write them.

Since such an object has fields of its own, what is misspelt can be told from what belongs to a pod only when every
field of core/v1 is known. Those that mean nothing to a plan are kept as they were written.
"""

from typing import Any

from pydantic import ConfigDict, Field

from fairlead.dialects.podspec import Container, Object, Volume

Kept = dict[str, Any] | None
KeptList = list[dict[str, Any]]


class InlineContainer(Container):
    """Every field of a container. Unknown ones are dropped."""

    model_config = ConfigDict(extra="ignore")

    image_pull_policy: str = Field(default="", description="When an image is pulled; nothing is pulled here.")
    lifecycle: Kept = Field(default=None, description="Hooks of a container.")
    liveness_probe: Kept = Field(default=None, description="When a container is to be started again.")
    readiness_probe: Kept = Field(default=None, description="When a container takes requests.")
    startup_probe: Kept = Field(default=None, description="When a container has started.")
    resize_policy: KeptList = Field(default_factory=list, description="What a change of resources restarts.")
    restart_policy: str = Field(default="", description="Of an init container that stays.")
    restart_policy_rules: KeptList = Field(default_factory=list, description="Which exits are followed by a restart.")
    stdin: bool = Field(default=False, description="Whether standard input is open.")
    stdin_once: bool = Field(default=False, description="Whether standard input closes with its first client.")
    termination_message_path: str = Field(default="", description="File with a container's last words.")
    termination_message_policy: str = Field(default="", description="Where a container's last words are read.")
    tty: bool = Field(default=False, description="Whether there is a terminal.")
    volume_devices: KeptList = Field(default_factory=list, description="Block devices.")


class InlinePod(Object):
    """Every field of a pod, none of them required."""

    containers: list[Container] = Field(default_factory=list, description="Its containers.")
    init_containers: list[Container] = Field(default_factory=list, description="What runs to its end before them.")
    volumes: list[Volume] = Field(default_factory=list, description="Volumes that containers mount.")
    service_account_name: str = Field(default="", description="Account whose Secrets hold credentials.")
    service_account: str = Field(default="", description="Deprecated name of serviceAccountName.")
    automount_service_account_token: bool | None = Field(default=None, description="Whether a token is mounted.")
    image_pull_secrets: list[dict[str, Any]] = Field(default_factory=list, description="Credentials of registries.")
    node_selector: dict[str, str] = Field(default_factory=dict, description="Labels of nodes that may run it.")
    node_name: str = Field(default="", description="The node that runs it.")
    affinity: Kept = Field(default=None, description="Which nodes and neighbours are preferred.")
    tolerations: KeptList = Field(default_factory=list, description="Taints that do not matter.")
    topology_spread_constraints: KeptList = Field(default_factory=list, description="How replicas are spread.")
    scheduler_name: str = Field(default="", description="Who chooses the node.")
    scheduling_gates: KeptList = Field(default_factory=list, description="What scheduling waits for.")
    scheduling_group: Kept = Field(default=None, description="Pods that are scheduled together.")
    priority: int | None = Field(default=None, description="Priority as a number.")
    priority_class_name: str = Field(default="", description="Priority by name.")
    preemption_policy: str = Field(default="", description="Whether others make room.")
    runtime_class_name: str = Field(default="", description="Container runtime.")
    resource_claims: KeptList = Field(default_factory=list, description="Claims on devices.")
    resources: Kept = Field(default=None, description="Resources of all containers together.")
    overhead: Kept = Field(default=None, description="Resources that the runtime itself needs.")
    restart_policy: str = Field(default="", description="What follows an exit.")
    termination_grace_period_seconds: int | None = Field(default=None, description="Seconds to end in.")
    active_deadline_seconds: int | None = Field(default=None, description="Seconds it may run.")
    security_context: Kept = Field(default=None, description="User, groups and rights.")
    dns_policy: str = Field(default="", description="How names are resolved.")
    dns_config: Kept = Field(default=None, description="Further settings of names.")
    host_aliases: KeptList = Field(default_factory=list, description="Entries of the hosts file.")
    hostname: str = Field(default="", description="Its host name.")
    hostname_override: str | None = Field(default=None, description="Its host name, whatever else is set.")
    subdomain: str = Field(default="", description="Its subdomain.")
    set_hostname_as_fqdn: bool | None = Field(default=None, alias="setHostnameAsFQDN", description="Full host name.")
    host_network: bool = Field(default=False, description="Whether it shares the node's network.")
    host_pid: bool = Field(default=False, alias="hostPID", description="Whether it sees the node's processes.")
    host_ipc: bool = Field(default=False, alias="hostIPC", description="Whether it shares the node's memory segments.")
    host_users: bool | None = Field(default=None, description="Whether it shares the node's users.")
    share_process_namespace: bool | None = Field(default=None, description="Whether containers see one another.")
    enable_service_links: bool | None = Field(default=None, description="Whether services show in the environment.")
    ephemeral_containers: KeptList = Field(default_factory=list, description="Containers of a debugger.")
    readiness_gates: KeptList = Field(default_factory=list, description="Further conditions of readiness.")
    os: Kept = Field(default=None, description="Operating system.")
