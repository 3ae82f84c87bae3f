"""The versions that the components of an InferenceService went through, in Knative's mode.

A change of a component's template makes a revision, `iris-predictor-00001` and so on. Each is stored as a `Revision` of
`serving.knative.dev/v1` that holds the template with the runtime that was resolved for it, so that an older one can be
run again while the manifest says something else already. Revisions are never edited, and a template that comes back
gets a number of its own, as in Knative.

Pure: what is stored is read through a `World`, and what should be stored is the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from fairlead.dialects.base import Column, Document, Kind, World
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.template import ComponentTemplate
from fairlead.dialects.kserve.inference_service.traffic import Rollout, read_rollout

KEPT = 10
"""How many revisions of a component are kept besides those that are in use."""

CONFIGURATION = "serving.knative.dev/configuration"
GENERATION = "serving.knative.dev/configurationGeneration"
KSERVICE = "serving.knative.dev/service"
SERVICE = "serving.kserve.io/inferenceservice"
COMPONENT = "component"
DISABLE_AUTO_UPDATE = "serving.kserve.io/disable-auto-update"

REVISION = Kind(
    group="serving.knative.dev",
    versions=("v1",),
    kind="Revision",
    plural="revisions",
    singular="revision",
    short_names=("rev",),
    categories=("all", "knative", "serving"),
    is_read_only=True,
    is_planned=False,
    columns=(
        Column(name="Config Name", type="string", path=r".metadata.labels['serving\.knative\.dev/configuration']"),
        Column(
            name="Generation", type="string", path=r".metadata.labels['serving\.knative\.dev/configurationGeneration']"
        ),
        Column(name="Ready", type="string", path='.status.conditions[?(@.type=="Ready")].status'),
        Column(name="Reason", type="string", path='.status.conditions[?(@.type=="Ready")].reason'),
        Column(name="Actual Replicas", type="integer", path=".status.actualReplicas"),
        Column(name="Desired Replicas", type="integer", path=".status.desiredReplicas"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One revision: its number, and what it runs."""

    number: int
    template: ComponentTemplate

    @property
    def name(self) -> str:
        """What it is called, as in Knative."""
        return revision_name(self.template.configuration, self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The known revisions of one component, the newest last, and how far the roll-out of the newest has got."""

    versions: tuple[Version, ...]
    rollout: Rollout

    @property
    def newest(self) -> Version:
        """The revision that was created last."""
        return self.versions[-1]

    def version(self, name: str) -> Version | None:
        """The revision of this name, if it is kept."""
        return next((one for one in self.versions if one.name == name), None)


def revision_name(configuration: str, number: int) -> str:
    """The name of a component's revision of this number."""
    return f"{configuration}-{number:05d}"


def history_of(doc: Document, template: ComponentTemplate, world: World) -> History:
    """The revisions of a component, with a new one when the template is not the newest one's. Calling it again with
    that one stored gives the same."""
    rollout = read_rollout(told.component(doc, template.role))
    known = _stored(doc, template, rollout, world)
    if not known or not _is_same(doc, known[-1].template, template):
        last = max(known[-1].number if known else 0, _number(rollout.latest_created, template.configuration))
        known = [*known, Version(number=last + 1, template=template)]
    return History(versions=tuple(known), rollout=_existing(rollout, known))


def records_of(doc: Document, templates: Sequence[ComponentTemplate], world: World) -> list[dict[str, Any]]:
    """The `Revision` objects that are to be stored beside a document: what is in use and the newest of the rest. In
    Standard mode there is one for each component, and only where an edit of its runtime is not to reach it."""
    if all(template.is_knative for template in templates):
        return [_record(version) for template in templates for version in _kept(history_of(doc, template, world))]
    own = [template for template in templates if not template.canary] if is_pinned(doc) else []
    return [_record(Version(number=1, template=pinned(doc, template, world))) for template in own]


def is_pinned(doc: Document) -> bool:
    """Whether edits of runtimes are not to reach a service that is ready."""
    annotations = doc.get("metadata", {}).get("annotations") or {}
    return annotations.get(DISABLE_AUTO_UPDATE) == "true"


def pinned(doc: Document, template: ComponentTemplate, world: World) -> ComponentTemplate:
    """A template of Standard mode, with the runtime as it was if an edit is not to reach it."""
    kept = _read(doc, template, 1, world) if is_pinned(doc) else None
    return kept.template if kept is not None and _is_same(doc, kept.template, template) else template


def _kept(history: History) -> list[Version]:
    newest = history.versions[-KEPT:]
    return [one for one in history.versions if one in newest or one.name in history.rollout.names]


def _stored(doc: Document, template: ComponentTemplate, rollout: Rollout, world: World) -> list[Version]:
    """What is kept, in order. Names are asked for one by one, since a listing costs as much as all services together
    have revisions: from the last that the status names upwards and downwards, and those that are in use."""
    configuration = template.configuration
    named = [_number(name, configuration) for name in rollout.names]
    top = _number(rollout.latest_created, configuration)
    found: dict[int, Version] = {}
    number = top + 1
    while (version := _read(doc, template, number, world)) is not None:
        found[number] = version
        number += 1
    for number in {*range(max(1, top - KEPT + 1), top + 1), *named} - {0}:
        if (version := _read(doc, template, number, world)) is not None:
            found[number] = version
    return [found[number] for number in sorted(found)]


def _read(doc: Document, template: ComponentTemplate, number: int, world: World) -> Version | None:
    stored = world.get(REVISION.kind, template.namespace, revision_name(template.configuration, number))
    if stored is None or not _belongs(stored, doc):
        return None
    kept = stored.get("spec", {}).get("template")
    if not isinstance(kept, Mapping):
        return None
    known = {field.name for field in fields(ComponentTemplate)}
    return Version(number=number, template=ComponentTemplate(**{k: v for k, v in kept.items() if k in known}))


def _belongs(stored: Document, doc: Document) -> bool:
    """Whether a revision is of this very service, not of one of the same name that was deleted."""
    owners = stored.get("metadata", {}).get("ownerReferences") or ()
    uid = doc.get("metadata", {}).get("uid", "")
    return not owners or not uid or any(owner.get("uid") == uid for owner in owners)


def _existing(rollout: Rollout, known: Sequence[Version]) -> Rollout:
    """The roll-out without revisions that are lost: nobody can be sent to them."""
    names = {one.name for one in known}

    def held(name: str) -> str:
        return name if name in names else ""

    return Rollout(
        latest_created=known[-1].name,
        latest_ready=held(rollout.latest_ready),
        latest_rolled_out=held(rollout.latest_rolled_out),
        previous_rolled_out=held(rollout.previous_rolled_out),
    )


def _is_same(doc: Document, kept: ComponentTemplate, wanted: ComponentTemplate) -> bool:
    if kept == wanted:
        return True
    return is_pinned(doc) and told.is_true(doc, "Ready") and _bare(kept) == _bare(wanted)


def _bare(template: ComponentTemplate) -> dict[str, Any]:
    written = asdict(template)
    runtime = written["runtime"] or {}
    return {**written, "runtime": (runtime.get("kind"), runtime.get("name"))}


def _number(name: str, configuration: str) -> int:
    """The number in a revision's name; 0 for no name, or one of another component."""
    tail = name.removeprefix(f"{configuration}-")
    return int(tail) if tail != name and tail.isdigit() else 0


def _record(version: Version) -> dict[str, Any]:
    template = version.template
    return {
        "apiVersion": f"{REVISION.group}/{REVISION.versions[0]}",
        "kind": REVISION.kind,
        "metadata": {
            "name": version.name,
            "namespace": template.namespace,
            "labels": {
                CONFIGURATION: template.configuration,
                GENERATION: str(version.number),
                KSERVICE: template.configuration,
                SERVICE: template.service,
                COMPONENT: template.role,
            },
        },
        "spec": {"template": asdict(template)},
    }
