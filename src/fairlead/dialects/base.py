"""What a dialect promises: the kinds it reads, and pure functions from manifests to plans and from a plan's
status back to the manifest's own status. The control plane knows dialects through this seam alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fairlead.dialects.catalog import Catalog
from fairlead.errors import FairleadError
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus

Document = Mapping[str, Any]
"""A manifest as parsed YAML or JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A printer column: `path` is a JSONPath as CRDs write it (`.status.state`)."""

    name: str
    type: str
    path: str
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A version whose fields are not those of the stored one. `stored` makes an object of it, whole or in part, one of
    the stored version; `shown` goes back, with a look at the world for what the object alone does not say. Neither
    changes anything of the metadata but annotations."""

    version: str
    schema: Callable[[], dict[str, Any]]
    """Its structural OpenAPI v3 schema."""
    columns: tuple[Column, ...]
    stored: Callable[[Document], dict[str, Any]]
    shown: Callable[[Document, "World"], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A resource type as the API serves it. The first of `versions` is stored; the others are the same schema
    under another name, unless `forms` has them."""

    group: str
    versions: tuple[str, ...]
    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    is_namespaced: bool = True
    has_status: bool = True
    scale_path: str = ""
    """JSONPath of the replica count that the `scale` subresource reads and writes; empty for none."""
    scale_status_path: str = ""
    is_read_only: bool = False
    columns: tuple[Column, ...] = ()
    is_planned: bool = True
    """Whether its objects ask for something to run. The others are there to be read by those that do."""
    reads: tuple[str, ...] = ()
    """Kinds whose objects change what this kind's mean: they are looked at again when one of those changes."""
    is_watched_with_status: bool = False
    """Whether those that read this kind look at its status too."""
    webhook: str = ""
    """The name that a refusal by the dialect's rules gives of its webhook; empty for `v1.v{kind}.kb.io`."""
    is_refused_plainly: bool = False
    """Whether that webhook only forbids, with its sentence, where others name the fields that are wrong."""
    defaulter: str = ""
    """The name of the webhook that fills fields in before an object is stored; empty where none does."""
    is_recorded: bool = False
    """Whether dialects keep objects of it beside others (`Dialect.records`) although users write it too."""
    forms: tuple[Form, ...] = ()
    """Versions that are converted."""
    controller_label: str = ""
    """The label by which objects are divided among the operators of a cluster; empty where they are not."""

    def form(self, version: str) -> Form | None:
        """What is different about a version; `None` when it is as the stored one."""
        return next((form for form in self.forms if form.version == version), None)


class World(Protocol):
    """Other objects that are stored now, for manifests that refer to them. Never Secrets. Kinds go by name alone."""

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        """One object; the namespace of a cluster-wide one is empty."""
        ...

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:
        """All objects of a kind, in the order of their names; in every namespace when none is given."""
        ...

    def plan(self, kind: str, namespace: str, name: str) -> Plan | None:
        """What an object was lowered to last."""
        ...

    def observed(self, kind: str, namespace: str, name: str) -> PlanStatus | None:
        """How far that plan has got."""
        ...


class EmptyWorld:
    """A world with nothing in it: of a manifest that stands alone."""

    def get(self, kind: str, namespace: str, name: str) -> Document | None:  # noqa: ARG002
        """Nothing."""
        return None

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:  # noqa: ARG002
        """Nothing."""
        return ()

    def plan(self, kind: str, namespace: str, name: str) -> Plan | None:  # noqa: ARG002
        """Nothing."""
        return None

    def observed(self, kind: str, namespace: str, name: str) -> PlanStatus | None:  # noqa: ARG002
        """Nothing."""
        return None


ALONE: World = EmptyWorld()


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something that an object's change of status means to those who watch its Events."""

    reason: str
    message: str
    is_warning: bool = False


class Dialect(Protocol):
    """One folder under `dialects/`. Everything is pure: no network, clock or environment."""

    kinds: tuple[Kind, ...]

    def seeds(self) -> Sequence[Document]:
        """Objects that are there from the start, unless somebody has made others of these names. They may be changed;
        what is deleted is there again after the next start."""
        ...

    def default(self, doc: Document, *, world: World = ALONE) -> dict[str, Any]:
        """The document with what the dialect's mutating webhook fills in."""
        ...

    def records(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Sequence[Document]:
        """The objects that are to be stored beside this one, its own, of kinds that are read-only or `is_recorded`,
        before it is lowered: those that it owns and that are not among these are deleted; those that somebody else
        wrote stay as they are. Complete documents of kinds of this dialect, with name, namespace and labels; the owner
        is added. Versions of an object that are needed later are kept so."""
        ...

    def prune(self, doc: Document) -> dict[str, Any]:
        """The document with what its schema does not know removed, as the cluster's API server would store it."""
        ...

    def validate(self, doc: Document, *, catalog: Catalog, old: Document | None = None, world: World = ALONE) -> None:
        """Raise `InvalidManifest` with every problem, in the texts of the dialect's own webhook. `old` is what an
        update replaces."""
        ...

    def lower(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Plan:
        """The plan of a valid document. Its `status` may be read for what was decided before."""
        ...

    def status(
        self, doc: Document, plan: Plan, observed: PlanStatus, *, now: str, world: World = ALONE
    ) -> dict[str, Any]:
        """The document's new `status`; `now` is an RFC 3339 time for transitions. Equal inputs give equal output,
        and an unchanged condition keeps its transition time."""
        ...

    def failed_status(self, doc: Document, error: FairleadError, *, now: str, world: World = ALONE) -> dict[str, Any]:
        """The status of a document that cannot be lowered."""
        ...

    def derived_status(self, doc: Document, *, now: str, world: World = ALONE) -> dict[str, Any] | None:
        """The status of an object without a plan, which follows from others; `None` when there is nothing to tell."""
        ...

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        """What the change from the document's status to this one is worth telling."""
        ...

    def open_api(self, kind: Kind) -> dict[str, Any]:
        """The structural OpenAPI v3 schema of a kind."""
        ...
