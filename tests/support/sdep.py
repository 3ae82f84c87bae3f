"""SeldonDeployments for tests, as parsed documents, from the few words a test is about."""

from typing import Any

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.seldon import SeldonDialect
from fairlead.plan.model import Plan, Unit

MODEL: dict[str, Any] = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "gs://models/iris"}


def sdep(*predictors: dict[str, Any], name: str = "iris", namespace: str = "seldon", **spec: Any) -> dict[str, Any]:
    """A deployment; without predictors it has one, called `default`, that serves a scikit-learn model."""
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"predictors": list(predictors) or [predictor()], **spec},
    }


def predictor(name: str = "default", graph: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A predictor, by default of one scikit-learn model."""
    return {"name": name, "graph": MODEL if graph is None else graph, **fields}


def pod(*containers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A componentSpec of these containers; `fields` are of the pod."""
    return {"spec": {"containers": list(containers), **fields}}


def one(container: dict[str, Any], graph: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A deployment of one node with one container; `fields` are of its pod."""
    node = {"name": container["name"], "type": "MODEL"} if graph is None else graph
    return sdep(predictor(graph=node, componentSpecs=[pod(container, **fields)]))


def lower(doc: dict[str, Any], catalog: Catalog | None = None) -> Plan:
    """The plan of a valid document."""
    catalog = Catalog() if catalog is None else catalog
    dialect = SeldonDialect()
    dialect.validate(doc, catalog=catalog)
    return dialect.lower(doc, catalog=catalog)


def lower_unit(doc: dict[str, Any], catalog: Catalog | None = None) -> Unit:
    """The first unit of the first component."""
    return lower(doc, catalog).components[0].revision.units[0]


def variables(unit: Unit) -> dict[str, str]:
    """The literal variables of a unit."""
    return {variable.name: variable.value for variable in unit.env if variable.source is None}
