"""One installation: where it is, what it is called, what its values say. Everything in this package is made from it.

Objects of a namespace have short names; those of the whole cluster have the namespace in theirs, so that
installations in several namespaces do not take each other's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.backends.kubernetes.install.defaults import completed
from fairlead.backends.kubernetes.values import settings_of
from fairlead.dialects.clusters import ClusterSettings

Json = dict[str, Any]
DEFAULT_NAMESPACE = ClusterSettings().namespace
OPERATOR = "fairlead-operator"
WEBHOOK_SERVICE = "fairlead-webhook"
METRICS_SERVICE = "fairlead-operator-metrics"
CERTIFICATE_SECRET = "fairlead-webhook-certificate"  # noqa: S105 (the name of a Secret)
VALUES_CONFIG_MAP = "fairlead-values"
VALUES_FILE = "values.yaml"
HEALTH_PORT = 8081
LEASE = "operator.fairlead.dev"

_SELECTOR = {"app.kubernetes.io/name": "fairlead", "app.kubernetes.io/component": "operator"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """`values` are complete; `namespace` is where it goes."""

    namespace: str
    values: Mapping[str, Any] = field(default_factory=lambda: completed({}))

    @classmethod
    def of(cls, given: Mapping[str, Any], *, namespace: str = DEFAULT_NAMESPACE) -> "Installation":
        """The one that checked values describe."""
        return cls(namespace=str(given.get("namespaceOverride") or "") or namespace, values=completed(given))

    @property
    def settings(self) -> ClusterSettings:
        """What manifests are rendered by in this installation."""
        return settings_of({**self.values, "namespaceOverride": self.namespace})

    @property
    def cluster_name(self) -> str:
        """What its objects of the whole cluster are called."""
        return cluster_name_in(self.namespace)

    @property
    def account(self) -> str:
        """The operator's ServiceAccount."""
        return str(self.value("serviceAccount.name") or "default")

    @property
    def labels(self) -> dict[str, str]:
        """Of every object that is the operator's."""
        return {**_SELECTOR, "app.kubernetes.io/part-of": "fairlead"}

    @property
    def selector(self) -> dict[str, str]:
        """The labels of the operator's pods by which they are found."""
        return dict(_SELECTOR)

    def value(self, path: str) -> Any:
        """What a value says."""
        return ClusterSettings(values=self.values).value(path)

    def metadata(self, name: str, **more: Any) -> Json:
        """Of an object in its namespace."""
        return {"name": name, "namespace": self.namespace, "labels": self.labels, **more}

    def cluster_metadata(self, **more: Any) -> Json:
        """Of an object of the whole cluster."""
        return {"name": self.cluster_name, "labels": self.labels, **more}

    def values_text(self) -> str:
        """The values as the operator reads them, byte for byte as Helm's `toJson` writes them: sorted, in one line, and
        safe to stand in HTML."""
        text = json.dumps(self.values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def cluster_name_in(namespace: str) -> str:
    """What objects of the whole cluster are called that belong to the installation in this namespace."""
    return f"fairlead.{namespace}"


def webhook_hosts(settings: ClusterSettings) -> tuple[str, ...]:
    """The names by which an API server may ask the webhooks."""
    service = f"{WEBHOOK_SERVICE}.{settings.namespace}"
    return (f"{service}.svc", f"{service}.svc.{settings.cluster_domain}", service)
