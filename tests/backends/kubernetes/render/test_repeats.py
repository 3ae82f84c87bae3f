"""Items that a manifest lists twice."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.render.repeats import without_repeats
from support.layouts import only, pod, workload, written


def container(**fields: Any) -> dict[str, Any]:
    """The one container of what becomes of a pod with this one."""
    made = workload(pod=pod({"name": "main", "image": "i", **fields}))
    spec = only(written(workloads=(made,)), "Deployment")["spec"]["template"]["spec"]
    return dict(spec["containers"][0])


def test_of_a_variable_that_is_set_twice_the_last_counts() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "A", "value": "3"}]

    assert container(env=env)["env"] == env[1:]


def test_of_a_port_that_is_named_twice_the_first_stays() -> None:
    ports = [
        {"name": "http", "containerPort": 8000},
        {"name": "metrics", "containerPort": 8000, "protocol": "TCP"},
        {"name": "dns", "containerPort": 8000, "protocol": "UDP"},
    ]

    assert container(ports=ports)["ports"] == [ports[0], ports[2]]


def test_a_pull_secret_is_needed_once() -> None:
    spec = {"containers": [], "imagePullSecrets": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}

    assert without_repeats(spec)["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 9).map(str))))
def test_a_container_sees_the_same_variables(pairs: list[tuple[str, str]]) -> None:
    env = [{"name": name, "value": value} for name, value in pairs]

    (done,) = without_repeats({"containers": [{"env": env}]})["containers"]

    assert {item["name"]: item["value"] for item in done["env"]} == dict(pairs)
    assert len(done["env"]) == len(dict(pairs))
