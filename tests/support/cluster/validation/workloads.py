"""Pods, and what makes pods of templates."""

from collections.abc import Iterator
from typing import Any

from support.cluster.admission import selects
from support.cluster.metadata import labels_problems
from support.cluster.quantities import quantity_value
from support.cluster.refusals import Cause
from support.cluster.validation import words

Document = dict[str, Any]
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_POLICIES = ("Always", "IfNotPresent", "Never")


def pod(document: Document) -> Iterator[Cause]:
    """A pod of its own."""
    yield from _pod_spec(document["spec"], "spec")


def deployment(document: Document) -> Iterator[Cause]:
    """What keeps a number of pods: its selector must select what its template makes."""
    spec = document["spec"]
    yield from words.not_negative("spec.replicas", spec.get("replicas"))
    selector, labels = spec.get("selector") or {}, (spec["template"].get("metadata") or {}).get("labels") or {}
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield words.wrong("spec.selector", "{}", "empty selector is invalid for deployment")
    elif not selects(selector, labels):
        yield words.wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from labels_problems(selector.get("matchLabels"), "spec.selector.matchLabels")
    yield from _template(spec["template"], ("Always",))
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    if (spec.get("strategy") or {}).get("type") == "Recreate" and rolling:
        yield words.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    if rolling and all(str(rolling.get(name)) in ("0", "0%") for name in ("maxUnavailable", "maxSurge")):
        yield words.wrong("spec.strategy.rollingUpdate.maxUnavailable", 0, "may not be 0 when `maxSurge` is 0")


def job(document: Document) -> Iterator[Cause]:
    """A job: its pods end."""
    yield from _template(document["spec"]["template"], ("OnFailure", "Never"))


def _template(template: Document, restart_policies: tuple[str, ...]) -> Iterator[Cause]:
    at = "spec.template"
    yield from labels_problems((template.get("metadata") or {}).get("labels"), f"{at}.metadata.labels")
    spec = template.get("spec") or {}
    yield from words.unsupported(f"{at}.spec.restartPolicy", spec.get("restartPolicy"), restart_policies)
    yield from _pod_spec(spec, f"{at}.spec")


def _pod_spec(spec: Document, at: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield words.required(f"{at}.containers")
    volumes = {volume.get("name", "") for volume in spec.get("volumes") or ()}
    yield from _volumes(spec.get("volumes") or (), f"{at}.volumes")
    seen: set[str] = set()
    for group in ("initContainers", "containers"):
        for place, container in enumerate(spec.get(group) or ()):
            where = f"{at}.{group}[{place}]"
            if container["name"] in seen:
                yield words.duplicate(f"{where}.name", container["name"])
            seen.add(container["name"])
            yield from _container(container, where, volumes)
            if group == "initContainers" and container.get("restartPolicy") != "Always":
                yield from _no_probes(container, where)
    yield from words.not_negative(f"{at}.terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"))
    if spec.get("serviceAccountName"):
        yield from words.subdomain(f"{at}.serviceAccountName", spec["serviceAccountName"])
    yield from labels_problems(spec.get("nodeSelector"), f"{at}.nodeSelector")


def _no_probes(container: Document, at: str) -> Iterator[Cause]:
    for name in (*_PROBES, "lifecycle"):
        if container.get(name):
            yield words.forbidden(f"{at}.{name}", "may not be set for init containers without restartPolicy=Always")


def _volumes(volumes: Any, at: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for place, volume in enumerate(volumes):
        name = volume.get("name", "")
        yield from words.label(f"{at}[{place}].name", name)
        if name in seen:
            yield words.duplicate(f"{at}[{place}].name", name)
        seen.add(name)
        if len(set(volume) - {"name"}) > 1:
            yield words.forbidden(f"{at}[{place}]", "may not specify more than 1 volume type")


def _container(container: Document, at: str, volumes: set[str]) -> Iterator[Cause]:
    yield from words.label(f"{at}.name", container["name"])
    if not container.get("image"):
        yield words.required(f"{at}.image")
    elif container["image"] != container["image"].strip():
        yield words.wrong(f"{at}.image", container["image"], "must not have leading or trailing whitespace")
    yield from words.unsupported(f"{at}.imagePullPolicy", container.get("imagePullPolicy"), _POLICIES)
    yield from _ports(container.get("ports") or (), f"{at}.ports")
    yield from _environment(container.get("env") or (), f"{at}.env")
    yield from _mounts(container.get("volumeMounts") or (), f"{at}.volumeMounts", volumes)
    yield from _resources(container.get("resources") or {}, f"{at}.resources")
    for name in _PROBES:
        if container.get(name):
            yield from _probe(container[name], f"{at}.{name}", name)
    for name, handler in (container.get("lifecycle") or {}).items():
        if name in ("postStart", "preStop") and len(set(handler)) != 1:
            yield words.required(f"{at}.lifecycle.{name}", "must specify a handler type")
    yield from _security(container.get("securityContext") or {}, f"{at}.securityContext")


def _ports(ports: Any, at: str) -> Iterator[Cause]:
    names: set[str] = set()
    for place, item in enumerate(ports):
        where = f"{at}[{place}]"
        yield from words.port(f"{where}.containerPort", item["containerPort"])
        yield from words.unsupported(f"{where}.protocol", item.get("protocol"), ("SCTP", "TCP", "UDP"))
        if item.get("name"):
            yield from words.port_name(f"{where}.name", item["name"])
            if item["name"] in names:
                yield words.duplicate(f"{where}.name", item["name"])
            names.add(item["name"])


def _environment(variables: Any, at: str) -> Iterator[Cause]:
    for place, variable in enumerate(variables):
        where = f"{at}[{place}]"
        if not variable.get("name") or "=" in variable["name"]:
            yield words.wrong(f"{where}.name", variable.get("name", ""), "a valid environment variable name")
        source = variable.get("valueFrom")
        if source is not None and variable.get("value"):
            yield words.wrong(f"{where}.valueFrom", "", "may not be specified when `value` is not empty")
        if source is not None and len(source) != 1:
            yield words.wrong(f"{where}.valueFrom", "", "must specify one of: `fieldRef`, `configMapKeyRef`")


def _mounts(mounts: Any, at: str, volumes: set[str]) -> Iterator[Cause]:
    paths: set[str] = set()
    for place, mount in enumerate(mounts):
        where = f"{at}[{place}]"
        if mount["name"] not in volumes:
            yield Cause(f"{where}.name", f'Not found: "{mount["name"]}"', "FieldValueNotFound")
        if not mount.get("mountPath"):
            yield words.required(f"{where}.mountPath")
        elif mount["mountPath"] in paths:
            yield words.wrong(f"{where}.mountPath", mount["mountPath"], "must be unique")
        paths.add(mount.get("mountPath", ""))
        if str(mount.get("subPath", "")).startswith("/"):
            yield words.wrong(f"{where}.subPath", mount["subPath"], "must be a relative path")


def _resources(resources: Document, at: str) -> Iterator[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            value = quantity_value(str(amount))
            if value is not None and value < 0:
                yield words.wrong(f"{at}.{kind}[{name}]", amount, "must be greater than or equal to 0")
            if "/" not in name and name not in _RESOURCES and not name.startswith("hugepages-"):
                text = "must be a standard resource for containers"
                yield words.wrong(f"{at}.{kind}[{name}]", name, text)
    for name, amount in requests.items():
        limit = limits.get(name)
        if limit is not None and (quantity_value(str(amount)) or 0) > (quantity_value(str(limit)) or 0):
            yield words.wrong(f"{at}.requests", str(amount), f"must be less than or equal to {name} limit of {limit}")
        if limit is None and "/" in name and not name.startswith("hugepages-"):
            yield words.required(f"{at}.limits", "Limit must be set for non overcommitable resources")
        elif limit is not None and "/" in name and str(limit) != str(amount):
            yield words.wrong(f"{at}.requests", str(amount), f"must be equal to {name} limit of {limit}")


_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def _probe(probe: Document, at: str, name: str) -> Iterator[Cause]:
    handlers = [handler for handler in _HANDLERS if handler in probe]
    if not handlers:
        yield words.required(at, "must specify a handler type")
    for extra in handlers[1:]:
        yield words.forbidden(f"{at}.{extra}", "may not specify more than 1 handler type")
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        yield from words.not_negative(f"{at}.{field}", probe.get(field))
    if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
        yield words.wrong(f"{at}.successThreshold", probe["successThreshold"], "must be 1")
    if "httpGet" in probe:
        yield from words.port_or_name(f"{at}.httpGet.port", probe["httpGet"].get("port"))
    if "tcpSocket" in probe:
        yield from words.port_or_name(f"{at}.tcpSocket.port", probe["tcpSocket"].get("port"))
    if "exec" in probe and not probe["exec"].get("command"):
        yield words.required(f"{at}.exec.command")


def _security(context: Document, at: str) -> Iterator[Cause]:
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            yield words.wrong(f"{at}", "", text)
        if "SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield words.wrong(f"{at}", "", text)
    yield from words.not_negative(f"{at}.runAsUser", context.get("runAsUser"))
