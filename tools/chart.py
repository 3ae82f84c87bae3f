"""Writes the Helm chart from the code that `fairlead install` runs, so that the two cannot say different things.

Every object is made as an installation makes it, with marks where values go; the marks become actions of Helm's
templates, and what only some values bring becomes a condition. Run it after a change of the objects or the kinds:

    python -m tools.chart
"""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fairlead.backends.kubernetes.accepted_values import ACCEPTED, Sort, Value
from fairlead.backends.kubernetes.install import (
    crds,
    gateway_objects,
    operator_objects,
    rbac,
    registry_objects,
    webhook_objects,
)
from fairlead.backends.kubernetes.install.defaults import DEFAULTS
from fairlead.backends.kubernetes.install.installation import Installation
from fairlead.backends.kubernetes.text import yaml_of
from fairlead.cli.version import text as version
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.kserve.cluster_seeds import cluster_seeds
from fairlead.dialects.seldon import SeldonDialect

Json = dict[str, Any]
FOLDER = Path(__file__).parent.parent / "charts" / "fairlead"
_DIALECTS = (SeldonDialect(), KServeDialect(), BentoDialect())
_KINDS = [kind for dialect in _DIALECTS for kind in dialect.kinds]
_SEEDS = cluster_seeds(ClusterSettings())
_OWN_CERTIFICATE = "and .Values.webhook.enabled (not .Values.certManager.enabled)"
_MANAGED_CERTIFICATE = "and .Values.webhook.enabled .Values.certManager.enabled"
_NAMESPACE = 'include "fairlead.namespace" .'


def mark(action: str) -> str:
    """Where an action goes."""
    return f"§{action}§"


class _Marked(Installation):
    """An installation whose values are marks of themselves, and in which everything is on."""

    __slots__ = ()

    def values_text(self) -> str:
        return mark("toJson .Values")


def _marked() -> Installation:
    values: Json = _marks(DEFAULTS, "")
    values["serviceAccount"] = {
        "create": True,
        "name": mark('.Values.serviceAccount.name | default "default"'),
        "annotations": mark("toJson .Values.serviceAccount.annotations"),
    }
    values["operator"] |= {
        name: mark(f"toJson .Values.operator.{name}")
        for name in ("resources", "nodeSelector", "tolerations", "affinity")
    }
    values["operator"] |= {name: {mark(f".Values.operator.{name}"): ""} for name in ("podAnnotations", "podLabels")}
    for name in ("ownGateway", "registry"):
        values[name]["resources"] = mark(f"toJson .Values.{name}.resources")
    values["image"]["pullSecrets"] = [{mark("pullSecrets"): ""}]
    values["clusterDomain"] = mark('.Values.clusterDomain | default "cluster.local"')
    for section in ("webhook", "certManager"):
        values[section] = {**values[section], "enabled": section == "webhook"}
    return _Marked(namespace=mark(_NAMESPACE), values=values)


def _marks(values: Mapping[str, Any], prefix: str) -> Json:
    return {
        key: _marks(item, f"{prefix}{key}.") if isinstance(item, Mapping) and item else mark(f".Values.{prefix}{key}")
        for key, item in values.items()
    }


def _with_cert_manager(marked: Installation) -> Installation:
    return _Marked(namespace=marked.namespace, values={**marked.values, "certManager": {"enabled": True}})


def templates() -> dict[str, str]:
    """Every file of `templates/`."""
    marked = _marked()
    managed = _with_cert_manager(marked)
    values, secret = operator_objects.belongings(marked)
    webhook, metrics = operator_objects.services(marked)
    account = _when("if .Values.serviceAccount.annotations", r" +annotations:", _text(operator_objects.account(marked)))
    return {
        "_helpers.tpl": _HELPERS,
        "account.yaml": _only(".Values.serviceAccount.create", account),
        "rbac.yaml": _only(".Values.rbac.create", _rbac(marked)),
        "values.yaml": _text([values]),
        "certificate.yaml": _only(_OWN_CERTIFICATE, _text([secret]))
        + _only(_MANAGED_CERTIFICATE, _text(webhook_objects.certificate_objects(managed))),
        "services.yaml": _only(".Values.webhook.enabled", _text([webhook])) + "---\n" + _text([metrics]),
        "deployment.yaml": _deployment(marked),
        "budget.yaml": _only(".Values.operator.podDisruptionBudget.enabled", _text(operator_objects.budget(marked))),
        "gateway.yaml": _only(".Values.ownGateway.enabled", _gateway(marked)),
        "registry.yaml": _only(".Values.registry.enabled", _registry(marked)),
        "registry-rights.yaml": _only(
            "and .Values.registry.enabled .Values.registry.deploys", _registry_rights(marked)
        ),
        "webhooks.yaml": _only(".Values.webhook.enabled", _webhooks(managed)),
        "NOTES.txt": _NOTES,
    }


_HELPERS = """\
{{- define "fairlead.namespace" -}}
{{ .Values.namespaceOverride | default .Release.Namespace }}
{{- end -}}
"""
_NOTES = """\
Fairlead is in namespace {{ include "fairlead.namespace" . }}.

  kubectl rollout status deployment fairlead-operator -n {{ include "fairlead.namespace" . }}

Values that it does not know are named in the operator's log; docs/kubernetes-values.md has all that it does.
Operators of Seldon Core and KServe that run in this cluster have to be stopped first, see docs/kubernetes-install.md.
Helm neither changes nor deletes definitions: before an upgrade, `kubectl apply --server-side -f crds/` of this chart.
"""


def _deployment(marked: Installation) -> str:
    text = _text([operator_objects.deployment(marked)])
    text = _when("if .Values.singleNamespace", r" *- --namespace=", text)
    text = _when("if .Values.webhook.enabled", r" *- --webhook-port=", text)
    text = _when("if .Values.webhook.enabled", r" *- name: webhook", text)
    text = _when("if .Values.hostNetwork", r" +hostNetwork:", text)
    text = _when("if .Values.hostNetwork", r" +dnsPolicy:", text)
    for name in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        text = _when(f"if .Values.operator.{name}", rf" +{name}:", text)
    return _with_pull_secrets(text)


def _gateway(marked: Installation) -> str:
    """Everything of it. A condition says where its work is: marks say that every installation is of one namespace."""
    made = gateway_objects.objects(marked)
    roles = [one for one in made if "rules" in one]
    work = _text([gateway_objects.work_rules()])
    for role, condition in zip(roles, ("not .Values.singleNamespace", ".Values.singleNamespace"), strict=True):
        role["rules"] = [one for one in role["rules"] if one not in gateway_objects.work_rules()]
        head, _, rules = _text([role]).partition("rules:\n")
        role["text"] = f"{head}rules:\n{{{{- if {condition} }}}}\n{work}{{{{- end }}}}\n{rules}"
    texts = [one.get("text") or _text([one]) for one in made]
    rights = [text for one, text in zip(made, texts, strict=True) if one["apiVersion"].startswith("rbac.")]
    others = [text for text in texts if text not in rights]
    others[-1] = _with_pull_secrets(_when("if .Values.singleNamespace", r" *- --namespace=", others[-1]))
    return "---\n".join(others) + _only(".Values.rbac.create", "---\n".join(rights))


def _registry(marked: Installation) -> str:
    """Two shapes of it: what it keeps is elsewhere, by a Secret, or on a claim."""
    values = {**marked.values, "registry": {**marked.values["registry"], "existingSecret": ""}}
    claimed = _Marked(namespace=marked.namespace, values=values)
    shapes = [_registry_shape(each) for each in (marked, claimed)]
    on_claim = _when("if .Values.registry.storage.className", r" +storageClassName:", shapes[1])
    return f"{{{{- if .Values.registry.existingSecret }}}}\n{shapes[0]}{{{{- else }}}}\n{on_claim}{{{{- end }}}}\n"


def _registry_shape(marked: Installation) -> str:
    belongings = [*registry_objects.claim(marked), registry_objects.service(marked)]
    text = _with_pull_secrets(_text([*belongings, registry_objects.deployment(marked)]))
    text = _when("if .Values.registry.deploys", r" *- --deploys", text)
    text = _when("if and .Values.registry.deploys .Values.singleNamespace", r" *- --namespace=", text)
    identity = (
        "{{- if .Values.registry.deploys }}\n{indent}serviceAccountName: {of}\n"
        "{{- else }}\n{indent}automountServiceAccountToken: false\n{{- end }}"
    )
    return _replaced(text, r"( +)serviceAccountName: (\S+)", identity)


def _registry_rights(marked: Installation) -> str:
    """Of the whole cluster, or of one namespace."""
    single, whole = (
        _Marked(namespace=marked.namespace, values={**marked.values, "singleNamespace": is_single})
        for is_single in (True, False)
    )
    secrets = _text([[registry_objects.secret_rule()]])
    roles = [
        _text(registry_objects.rights(each)).replace(secrets, _rule(secrets, ".Values.registry.deploySecrets"))
        for each in (single, whole)
    ]
    either = f"{{{{- if .Values.singleNamespace }}}}\n{roles[0]}{{{{- else }}}}\n{roles[1]}{{{{- end }}}}\n"
    return _text(registry_objects.account(marked)) + _only(".Values.rbac.create", either)


def _with_pull_secrets(text: str) -> str:
    text = _when("if .Values.image.pullSecrets", r" +imagePullSecrets:", text)
    secrets = (
        "{{- range .Values.image.pullSecrets }}\n"
        '{indent}- {{ if kindIs "map" . }}{{ toJson . }}{{ else }}name: {{ . }}{{ end }}\n'
        "{{- end }}"
    )
    return _replaced(text, r"( *)- \{\{ pullSecrets \}\}: .*", secrets)


def _webhooks(managed: Installation) -> str:
    kinds = webhook_objects.configurations(managed, _KINDS)
    text = _when("if .Values.certManager.enabled", r" +annotations:", _text(kinds))
    text = _when("if .Values.singleNamespace", r" +namespaceSelector:", text)
    chosen = (
        "{{- if .Values.controllerId }}\n{indent}operator: In\n{indent}values:\n{indent}- {{ .Values.controllerId }}\n"
        "{{- else }}\n{indent}operator: DoesNotExist\n{{- end }}"
    )
    return _replaced(text, r"( *)operator: In\n *values:\n *- \{\{ \.Values\.controllerId \}\}", chosen)


def _rbac(marked: Installation) -> str:
    """Rules are there in some installations and not in others: the condition is the one that is true of the same."""
    made = [_text([one]) for one in rbac.objects(marked, _KINDS, _SEEDS)]
    for index, kind in ((0, "ClusterRole"), (2, "Role")):
        head, _, _ = made[index].partition("rules:\n")
        made[index] = f"{head}rules:\n" + "".join(_rule(text, condition) for text, condition in _rules(marked, kind))
    return "---\n".join(made)


def _rule(text: str, condition: str) -> str:
    return f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n" if condition else text


_TOGGLES = ("singleNamespace", "runtimes.create", "webhook.enabled", "certManager.enabled")
_CONDITIONS: Mapping[str, Callable[..., bool]] = {
    "": lambda *_: True,
    "not .Values.singleNamespace": lambda single, *_: not single,
    ".Values.singleNamespace": lambda single, *_: single,
    ".Values.runtimes.create": lambda _, seeds, *__: seeds,
    ".Values.webhook.enabled": lambda _, __, asked, ___: asked,
    _OWN_CERTIFICATE: lambda _, __, asked, managed: asked and not managed,
    _MANAGED_CERTIFICATE: lambda _, __, asked, managed: asked and managed,
}


def _rules(marked: Installation, kind: str) -> Iterable[tuple[str, str]]:
    combinations = list(itertools.product((True, False), repeat=len(_TOGGLES)))
    made = {states: _rules_of(marked, kind, states) for states in combinations}
    present: dict[str, set[tuple[bool, ...]]] = {}
    # The fullest first, because the others are in its order.
    for states in sorted(combinations, key=lambda states: -len(made[states])):
        for text in made[states]:
            present.setdefault(text, set()).add(states)
    for text, states_of in present.items():
        tables = {name: {each for each in combinations if holds(*each)} for name, holds in _CONDITIONS.items()}
        yield text, next(name for name, table in tables.items() if table == states_of)


def _rules_of(marked: Installation, kind: str, states: Sequence[bool]) -> list[str]:
    values = dict(marked.values)
    for path, state in zip(_TOGGLES, states, strict=True):
        section, _, name = path.partition(".")
        values[section] = {**values[section], name: state} if name else state
    objects = rbac.objects(Installation(namespace=marked.namespace, values=values), _KINDS, _SEEDS)
    return [_text([[rule]]) for rule in next(one for one in objects if one["kind"] == kind)["rules"]]


def _text(objects: Sequence[Any]) -> str:
    """Objects as YAML with their marks turned into actions."""
    text = re.sub(r"'([^'\n]*§[^'\n]*)'", r"\1", yaml_of(objects))
    # A name may look like a number, so what is a whole scalar of text is quoted.
    text = text.replace(f" §{_NAMESPACE}§\n", f" {{{{ {_NAMESPACE} | quote }}}}\n")
    text = re.sub(r"(checksum/values: )\S+", r"\1{{ toJson .Values | sha256sum | quote }}", text)
    text = text.replace("§toJson .Values§", "{{ toJson .Values | quote }}")
    text = re.sub(r"§([^§\n]+)§", r"{{ \1 }}", text)
    return _pairs(text)


def _pairs(text: str) -> str:
    """A section that goes into another one field by field."""
    each = "{{- range $key, $value := {of} }}\n{indent}{{ $key }}: {{ $value | quote }}\n{{- end }}"
    return _replaced(text, r"( *)\{\{ (\.Values\.operator\.pod(?:Annotations|Labels)) \}\}: .*", each)


def _replaced(text: str, pattern: str, by: str) -> str:
    def put(found: re.Match[str]) -> str:
        of = found[2] if found.re.groups > 1 else ""
        return by.replace("{indent}", found[1]).replace("{of}", of)

    return re.sub(pattern, put, text)


def _only(condition: str, text: str) -> str:
    return f"{{{{- if {condition} }}}}\n---\n{text}{{{{- end }}}}\n"


def _when(opening: str, pattern: str, text: str) -> str:
    """Wherever a line matches: it, and what belongs to it, only then."""
    lines, wrapped = text.split("\n"), []
    while lines:
        line = lines.pop(0)
        if not re.match(pattern, line):
            wrapped.append(line)
            continue
        block = [line]
        while lines and _belongs(lines[0], line):
            block.append(lines.pop(0))
        wrapped += [f"{{{{- {opening} }}}}", *block, "{{- end }}"]
    return "\n".join(wrapped)


def _belongs(line: str, to: str) -> bool:
    depth, start = (len(one) - len(one.lstrip(" ")) for one in (line, to))
    is_item = line.lstrip(" ").startswith("- ")
    return depth > start or (depth == start and is_item and not to.lstrip(" ").startswith("- "))


_SCHEMAS: Mapping[Sort, Any] = {
    Sort.TEXT: {"type": ["string", "integer", "null"]},
    Sort.FLAG: {"type": ["boolean", "string", "null"], "enum": [True, False, "true", "false", None]},
    Sort.NUMBER: {"type": ["integer", "string", "null"], "pattern": "^[0-9]+$"},
    Sort.TEXTS: {"type": ["array", "null"], "items": {"type": "string"}},
    Sort.LIST: {"type": ["array", "null"]},
    Sort.MAPPING: {"type": ["object", "null"]},
}


_ASKED: Mapping[Sort, Any] = {Sort.FLAG: {"type": "boolean"}, Sort.NUMBER: {"type": "integer"}}


def values_schema() -> Json:
    """What Helm checks values by. Names that are not in it are taken: the operator names them in its log."""
    root: Json = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}}
    for value in ACCEPTED.values():
        *sections, name = value.path.split(".")
        place = root
        for section in sections:
            new = {"type": ["object", "null"], "properties": {}}
            place = place["properties"].setdefault(section, new)
        place["properties"][name] = _schema_of(value)
    return root


def _schema_of(value: Value) -> Json:
    if value.choices:
        return {"enum": [*value.choices, None]}
    # What templates ask must be what it says: to them the text "false" is true.
    is_asked = ClusterSettings(values=DEFAULTS).value(value.path) is not None
    schema: Json = _ASKED.get(value.sort, _SCHEMAS[value.sort]) if is_asked else _SCHEMAS[value.sort]
    return schema


def files() -> dict[str, str]:
    """The whole chart, by path."""
    chart = {
        "apiVersion": "v2",
        "name": "fairlead",
        "description": "Makes the SeldonDeployments, InferenceServices and BentoDeployments of a cluster true.",
        "type": "application",
        "version": version(),
        "appVersion": version(),
        "kubeVersion": ">=1.28.0-0",
    }
    heading = "# What an installation is without values. docs/kubernetes-values.md has every name.\n"
    return {
        "Chart.yaml": yaml_of([chart]),
        "values.yaml": heading + yaml_of([DEFAULTS]),
        "values.schema.json": json.dumps(values_schema(), indent=1) + "\n",
        # In one line each: spelled out they are megabytes, nearly all of it spaces.
        **{
            f"crds/{each['metadata']['name']}.yaml": json.dumps(each, separators=(",", ":")) + "\n"
            for each in crds.definitions(_DIALECTS)
        },
        **{f"templates/{name}": text for name, text in templates().items()},
    }


def main() -> None:
    """Write the chart, and delete what is no part of it any more."""
    written = files()
    for path in FOLDER.rglob("*"):
        if path.is_file() and str(path.relative_to(FOLDER)) not in written:
            path.unlink()
    for name, text in written.items():
        target = FOLDER / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


if __name__ == "__main__":
    main()
