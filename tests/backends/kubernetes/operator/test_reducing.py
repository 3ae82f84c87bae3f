"""What is kept of objects, and what must not be."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.operator.reducing import reduced
from fairlead.backends.kubernetes.operator.resources import CONFIG_MAP, DEPLOYMENT, SECRET

_LAST = "kubectl.kubernetes.io/last-applied-configuration"


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.just("c2VjcmV0")))
def test_no_value_of_a_secret_is_kept(data: dict[str, str]) -> None:
    metadata: dict[str, Any] = {"name": "s", "annotations": {_LAST: "c2VjcmV0", "serving.kubeflow.org/s3-region": "eu"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data, "stringData": {"x": "c2VjcmV0"}}

    kept = reduced(SECRET.key, secret)

    assert kept is not None
    assert "c2VjcmV0" not in str(kept)
    assert set(kept["data"]) == set(data)
    assert kept["metadata"]["annotations"] == {"serving.kubeflow.org/s3-region": "eu"}


def test_what_nobody_reads_is_not_kept() -> None:
    release = {"metadata": {"name": "sh.helm.v1"}, "type": "helm.sh/release.v1", "data": {"release": "x"}}
    authorities = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "x"}}

    assert reduced(SECRET.key, release) is None
    assert reduced(CONFIG_MAP.key, authorities) is None


def test_who_manages_which_field_is_not_kept() -> None:
    doc = {"metadata": {"name": "d", "managedFields": [{}]}, "spec": {"replicas": 1}}

    assert reduced(DEPLOYMENT.key, doc) == {"metadata": {"name": "d"}, "spec": {"replicas": 1}}
