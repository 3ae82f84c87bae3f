"""The controllers of one cluster, each of which a test may switch off."""

from dataclasses import dataclass, field

from support.cluster.controllers import (
    Autoscalers,
    Controller,
    Deployments,
    Ingresses,
    Jobs,
    KnativeServices,
    Pods,
    ReplicaSets,
    Routes,
)
from support.cluster.state import State


@dataclass
class World:
    """All of them, on at first."""

    deployments: Deployments
    replica_sets: ReplicaSets
    pods: Pods
    autoscalers: Autoscalers
    jobs: Jobs
    http_routes: Routes
    grpc_routes: Routes
    ingresses: Ingresses
    knative: KnativeServices
    off: set[Controller] = field(default_factory=set)

    @classmethod
    def of(cls, state: State) -> "World":
        """For a cluster."""
        return cls(
            deployments=Deployments(state),
            replica_sets=ReplicaSets(state),
            pods=Pods(state),
            autoscalers=Autoscalers(state),
            jobs=Jobs(state),
            http_routes=Routes(state, "httproutes"),
            grpc_routes=Routes(state, "grpcroutes"),
            ingresses=Ingresses(state),
            knative=KnativeServices(state),
        )

    @property
    def all(self) -> list[Controller]:
        """In the order in which they act on what the one before made."""
        return [
            self.autoscalers,
            self.deployments,
            self.replica_sets,
            self.jobs,
            self.pods,
            self.http_routes,
            self.grpc_routes,
            self.ingresses,
            self.knative,
        ]

    def step(self) -> bool:
        """One pass of each that is on; whether anything was done."""
        return sum(controller.step() for controller in self.all if controller not in self.off) > 0
