"""Autoscalers, disruption budgets, configuration, roles and webhooks."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from support.cluster.refusals import Cause
from support.cluster.validation import words

Document = dict[str, Any]
_METRICS = {"Resource": "resource", "Pods": "pods", "Object": "object", "External": "external"}
_METRICS |= {"ContainerResource": "containerResource"}
_TARGETS = {"Utilization": "averageUtilization", "Value": "value", "AverageValue": "averageValue"}
_MAX_BYTES = 1024 * 1024


def autoscaler(document: Document) -> Iterator[Cause]:
    """Bounds that can be kept, metrics that can be read."""
    spec = document["spec"]
    lowest, highest = spec.get("minReplicas", 1), spec["maxReplicas"]
    if lowest < 1:
        yield words.wrong("spec.minReplicas", lowest, "must be greater than or equal to 1")
    if highest < 1:
        yield words.wrong("spec.maxReplicas", highest, "must be greater than 0")
    elif highest < lowest:
        yield words.wrong("spec.maxReplicas", highest, "must be greater than or equal to `minReplicas`")
    for name in ("kind", "name"):
        if not spec["scaleTargetRef"].get(name):
            yield words.required(f"spec.scaleTargetRef.{name}")
    for place, metric in enumerate(spec.get("metrics") or ()):
        yield from _metric(metric, f"spec.metrics[{place}]")


def _metric(metric: Document, at: str) -> Iterator[Cause]:
    kind = metric.get("type", "")
    yield from words.unsupported(f"{at}.type", kind, tuple(_METRICS))
    source = metric.get(_METRICS.get(kind, ""))
    if source is None:
        yield words.required(
            f"{at}.{_METRICS.get(kind, 'type')}", "must populate information for the given metric source"
        )
        return
    target = source.get("target") or {}
    field = _TARGETS.get(target.get("type", ""))
    if field is None:
        yield words.required(f"{at}.{_METRICS[kind]}.target.type", "must specify a metric target type")
    elif field not in target:
        yield words.required(f"{at}.{_METRICS[kind]}.target.{field}")


def disruption_budget(document: Document) -> Iterator[Cause]:
    """One bound, not two."""
    spec = document.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield words.wrong("spec", "", "minAvailable and maxUnavailable cannot be both set")


def config_map(document: Document) -> Iterator[Cause]:
    """Keys that can be files, and no more than a megabyte."""
    for key in (*(document.get("data") or ()), *(document.get("binaryData") or ())):
        yield from words.config_key(f"data[{key}]", key)
    if sum(len(value.encode()) for value in (document.get("data") or {}).values()) > _MAX_BYTES:
        yield Cause("", f"Too long: may not be more than {_MAX_BYTES} bytes", "FieldValueTooLong")


def secret(document: Document) -> Iterator[Cause]:
    """Keys that can be files, and values in base64."""
    for key, value in (document.get("data") or {}).items():
        yield from words.config_key(f"data[{key}]", key)
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            yield words.wrong(f"data[{key}]", "<secret contents redacted>", "illegal base64 data")
    if document.get("type") == "kubernetes.io/tls":
        for key in ("tls.crt", "tls.key"):
            if key not in (document.get("data") or {}):
                yield words.required(f"data[{key}]")


def role(document: Document) -> Iterator[Cause]:
    """Rules that allow something."""
    for place, rule in enumerate(document.get("rules") or ()):
        at = f"rules[{place}]"
        if not rule.get("verbs"):
            yield words.required(f"{at}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            if document["kind"] == "Role":
                yield words.wrong(f"{at}.nonResourceURLs", "", "namespaced rules cannot apply to non-resource URLs")
            continue
        if not rule.get("apiGroups"):
            yield words.required(f"{at}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield words.required(f"{at}.resources", "resource rules must supply at least one resource")


def binding(document: Document) -> Iterator[Cause]:
    """A role of a known kind, for somebody."""
    reference = document["roleRef"]
    kinds = ("ClusterRole",) if document["kind"] == "ClusterRoleBinding" else ("ClusterRole", "Role")
    yield from words.unsupported("roleRef.kind", reference["kind"], kinds)
    for place, subject in enumerate(document.get("subjects") or ()):
        at = f"subjects[{place}]"
        yield from words.unsupported(f"{at}.kind", subject["kind"], ("Group", "ServiceAccount", "User"))
        if subject["kind"] == "ServiceAccount" and not subject.get("namespace"):
            yield words.required(f"{at}.namespace")


def webhooks(document: Document) -> Iterator[Cause]:
    """Webhooks that a server could call."""
    names: set[str] = set()
    for place, webhook in enumerate(document.get("webhooks") or ()):
        at = f"webhooks[{place}]"
        yield from words.subdomain(f"{at}.name", webhook["name"])
        if webhook["name"].count(".") < 2:
            yield words.wrong(f"{at}.name", webhook["name"], "should be a domain with at least three segments")
        if webhook["name"] in names:
            yield words.duplicate(f"{at}.name", webhook["name"])
        names.add(webhook["name"])
        if webhook.get("sideEffects") not in ("None", "NoneOnDryRun"):
            yield from words.unsupported(f"{at}.sideEffects", webhook.get("sideEffects"), ("None", "NoneOnDryRun"))
        if "v1" not in (webhook.get("admissionReviewVersions") or ()):
            yield words.wrong(f"{at}.admissionReviewVersions", "", "must include at least one of v1, v1beta1")
        if not 1 <= webhook.get("timeoutSeconds", 10) <= 30:
            yield words.wrong(f"{at}.timeoutSeconds", webhook["timeoutSeconds"], "must be between 1 and 30 seconds")
        client = webhook["clientConfig"]
        if ("url" in client) == ("service" in client):
            yield words.required(f"{at}.clientConfig", "exactly one of url or service is required")
