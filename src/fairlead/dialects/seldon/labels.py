"""The labels that a cluster's pods of a predictor carry, so that scripts which select by them find ours."""

from fairlead.dialects.seldon.context import PredictorContext
from fairlead.dialects.seldon.lower_graph import node_kind
from fairlead.dialects.seldon.names import container_service, deployment_names, predictor_key, seldon_id


def pod_labels(context: PredictorContext) -> tuple[tuple[str, str], ...]:
    """Sorted by name. One replica here is all of a predictor's pods, so it carries the labels of each."""
    sdep, predictor = context.sdep, context.predictor
    labels = {
        "seldon-deployment-id": seldon_id(sdep),
        "app": deployment_names(sdep, predictor)[0],
        "fluentd": "true",
        "app.kubernetes.io/managed-by": "seldon-core",
        "seldon-app": predictor_key(sdep, predictor),
    }
    for node in context.nodes():
        name = node.node.name
        labels[f"seldon.io/{node_kind(node.node)}"] = "true"
        labels[f"seldon-app-svc-{name}"] = container_service(sdep, predictor, name)
    if predictor.shadow:
        labels["seldon.io/shadow"] = "true"
    for pod in predictor.component_specs:
        labels |= pod.metadata.labels
    return tuple(sorted((labels | predictor.labels).items()))
