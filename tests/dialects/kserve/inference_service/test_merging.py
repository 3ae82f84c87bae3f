from fairlead.dialects.kserve.inference_service.merging import merged_containers, merged_pods


def test_lists_with_names_are_merged_entry_by_entry_and_others_replaced() -> None:
    runtime = {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 8080, "name": "http1"}],
        "volumeMounts": [{"name": "v", "mountPath": "/a", "readOnly": True}],
        "command": ["serve"],
    }
    own = {
        "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "volumeMounts": [{"name": "w", "mountPath": "/a"}],
        "command": ["other"],
    }

    assert merged_containers(runtime, own) == {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
        "ports": [{"containerPort": 8080, "name": "http1", "protocol": "TCP"}],
        "volumeMounts": [{"name": "w", "mountPath": "/a", "readOnly": True}],
        "command": ["other"],
    }


def test_arguments_come_after_those_of_the_runtime() -> None:
    assert merged_containers({"args": ["--a=1"]}, {"args": ["--a=2"]}) == {"args": ["--a=1", "--a=2"]}


def test_resources_are_merged_one_by_one_and_null_is_nothing() -> None:
    runtime = {"resources": {"limits": {"cpu": "1", "memory": "2Gi"}, "requests": {"cpu": "1"}}, "image": "a"}
    own = {"resources": {"limits": {"memory": "4Gi"}}, "image": None}

    assert merged_containers(runtime, own) == {
        "resources": {"limits": {"cpu": "1", "memory": "4Gi"}, "requests": {"cpu": "1"}},
        "image": "a",
    }


def test_a_value_takes_the_place_of_a_source() -> None:
    source = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}

    assert merged_containers({"env": [source]}, {"env": [{"name": "A", "value": "1"}]}) == {
        "env": [{"name": "A", "value": "1"}]
    }


def test_pods_have_the_volumes_of_both() -> None:
    runtime = {"volumes": [{"name": "shm", "emptyDir": {}}], "nodeSelector": {"a": "1"}}
    own = {"volumes": [{"name": "mine", "emptyDir": {}}], "nodeSelector": {"b": "2"}}

    assert merged_pods(runtime, own) == {
        "volumes": [{"name": "shm", "emptyDir": {}}, {"name": "mine", "emptyDir": {}}],
        "nodeSelector": {"a": "1", "b": "2"},
    }
