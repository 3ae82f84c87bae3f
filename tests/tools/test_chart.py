"""The chart says what `fairlead install` does: for the same values the same objects."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from fairlead.backends.kubernetes.install.defaults import DEFAULTS, completed
from fairlead.backends.kubernetes.install.installation import Installation
from fairlead.backends.kubernetes.values import read
from support.go_templates import Chart
from support.installing import listed
from tools import chart

VALUES: dict[str, dict[str, Any]] = {
    "none": {},
    "image": {"image": {"repository": "registry.local/fairlead", "tag": "1.2", "pullPolicy": "Always"}},
    "pull-secrets": {"image": {"pullSecrets": ["one", {"name": "two"}]}},
    "operator": {
        "operator": {
            "replicas": 2,
            "resources": {"limits": {"memory": "2Gi"}},
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "affinity": {"podAntiAffinity": {"x": 1}},
            "priorityClassName": "system-cluster-critical",
            "podAnnotations": {"prometheus.io/scrape": "true"},
            "podLabels": {"team": "ml"},
            "podDisruptionBudget": {"enabled": True},
        }
    },
    "account": {"serviceAccount": {"name": "seldon-manager", "annotations": {"a": "b"}}},
    "somebody-elses-account": {"serviceAccount": {"create": False, "name": ""}, "rbac": {"create": False}},
    "no-webhooks": {"webhook": {"enabled": False}},
    "webhooks": {"webhook": {"port": 9443, "failurePolicy": "Ignore", "timeoutSeconds": 5}},
    "cert-manager": {"certManager": {"enabled": True}, "clusterDomain": "corp.local"},
    "no-webhooks-but-cert-manager": {"webhook": {"enabled": False}, "certManager": {"enabled": True}},
    "one-namespace": {"singleNamespace": True, "controllerId": "team-a", "runtimes": {"create": False}},
    "elsewhere": {"namespaceOverride": "ops", "hostNetwork": True, "metrics": {"port": 9090}},
    "gateway": {"ownGateway": {"enabled": True, "replicas": 3, "resources": {"limits": {"cpu": "1"}}}},
    "gateway-of-one-namespace": {
        "ownGateway": {"enabled": True},
        "singleNamespace": True,
        "clusterDomain": "corp.local",
        "image": {"pullSecrets": ["one"]},
    },
    "gateway-without-rights": {"ownGateway": {"enabled": True}, "rbac": {"create": False}},
    "registry": {
        "registry": {"enabled": True, "storage": {"className": "fast"}, "resources": {"limits": {"memory": "2Gi"}}},
        "image": {"pullSecrets": ["one"]},
    },
    "registry-elsewhere": {"registry": {"enabled": True, "existingSecret": "registry", "replicas": 2}},
    "registry-of-one-namespace": {
        "registry": {"enabled": True, "deploySecrets": True},
        "singleNamespace": True,
    },
    "registry-with-secrets": {"registry": {"enabled": True, "deploySecrets": True}},
    "registry-that-does-not-deploy": {"registry": {"enabled": True, "deploys": False}},
    "registry-without-rights": {"registry": {"enabled": True}, "rbac": {"create": False}},
    "people's": {
        "istio": {"enabled": True, "gateway": "istio-system/gw"},
        "kserve": {"controller": {"gateway": {"domainTemplate": "{{ .Name }}<&>.{{ .IngressDomain }}"}}},
        "usageMetrics": {"enabled": True},
    },
}


def _rendered(values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """As Helm does it: values over the chart's, every template, YAML."""
    files = chart.templates()
    templates = {name: text for name, text in files.items() if name != "NOTES.txt"}
    data = {"Values": completed(values), "Release": {"Namespace": "fairlead-system"}}
    texts = [Chart(templates).render(name, data) for name in templates if not name.startswith("_")]
    return {(doc["kind"], doc["metadata"]["name"]): doc for text in texts for doc in yaml.safe_load_all(text) if doc}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_chart_makes_the_objects_of_the_command(values: dict[str, Any]) -> None:
    expected = {(doc["kind"], doc["metadata"]["name"]): doc for doc in listed(values).operator}

    found = _rendered(values)

    assert set(found) == set(expected)
    for key, doc in found.items():
        assert doc == expected[key]


def test_the_chart_is_written_anew_after_a_change() -> None:
    on_disk = {
        str(path.relative_to(chart.FOLDER)): path.read_text() for path in chart.FOLDER.rglob("*") if path.is_file()
    }

    assert on_disk == chart.files(), "run `python -m tools.chart`"


def test_its_values_are_the_defaults_of_the_command() -> None:
    assert yaml.safe_load((chart.FOLDER / "values.yaml").read_text()) == json.loads(json.dumps(DEFAULTS))


def test_defaults_decide_nothing_that_no_values_would_not() -> None:
    plain, whole = Installation.of({}).settings, read("", "").settings

    assert (plain.image, plain.routing, plain.namespace) == (whole.image, whole.routing, whole.namespace)
    assert plain.image_pull_secrets == whole.image_pull_secrets


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_values_that_people_give_are_right_by_the_schema(values: dict[str, Any]) -> None:
    jsonschema.Draft7Validator(chart.values_schema()).validate(completed(values))


@pytest.mark.parametrize(
    "values",
    [{"webhook": {"enabled": "false"}}, {"webhook": {"failurePolicy": "Never"}}, {"operator": {"replicas": "two"}}],
    ids=str,
)
def test_values_of_a_wrong_type_are_refused_by_the_schema(values: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(chart.values_schema()).validate(values)
