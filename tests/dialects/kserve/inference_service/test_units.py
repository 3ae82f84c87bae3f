from pathlib import Path
from typing import Any

from fairlead.dialects.catalog import Catalog
from fairlead.plan.model import Call, Chain, EnvFrom, Method, Mount, UserCode
from support.isvc import container, isvc, lowered, model, unit_of

IMAGES = {
    "mine": {"class": "mine.Model", "path": "code"},
    "tool": {"command": ["python", "-m", "tool"]},
}


def catalog() -> Catalog:
    return Catalog.from_config({"images": IMAGES}, Path("/etc/fairlead"))


def test_an_unknown_image_is_a_container_with_its_files_and_ports() -> None:
    fields: dict[str, Any] = {
        "command": ["serve", "$(WHO)"],
        "args": ["--name", "$(WHO)"],
        "ports": [{"containerPort": 9000, "name": "grpc-h2c"}, {"containerPort": 8080, "name": "http1"}],
        "env": [{"name": "WHO", "value": "me"}, {"name": "STORAGE_URI", "value": "gs://models/a"}],
        "envFrom": [{"secretRef": {"name": "keys"}}],
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp/x"}, {"name": "conf", "mountPath": "/conf"}],
    }
    volumes = [{"name": "scratch", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "c"}}]
    unit = unit_of(isvc({**container(**fields), "volumes": volumes}))

    assert unit.runtime == "container"
    assert (unit.http_port, unit.grpc_port) == (8080, 9000)
    assert unit.env_from == (EnvFrom(kind="Secret", name="keys"),)
    assert {one.name: one.value for one in unit.env}["STORAGE_URI"] == "/mnt/models"
    assert unit.container is not None
    assert unit.container.command == ("serve", "me")
    assert unit.container.args == ("--name", "me")
    assert unit.container.mounts == (
        Mount(path="/tmp/x", source="scratch"),
        Mount(path="/conf", source="config:c"),
        Mount(path="/mnt/models", source="artifact", read_only=True),
    )


def test_a_model_may_be_mounted_to_be_written() -> None:
    env = [{"name": "STORAGE_URI", "value": "gs://models/a"}]
    doc = isvc(container(env=env), annotations={"storage.kserve.io/readonly": "false"})
    unit = unit_of(doc)

    assert unit.container is not None
    assert unit.container.mounts == (Mount(path="/mnt/models", source="artifact"),)


def test_a_container_that_speaks_grpc_alone_speaks_v2() -> None:
    revision = lowered(isvc(container(ports=[{"containerPort": 9000, "name": "h2c"}])))[0].revision

    assert revision.protocol == "v2"
    assert (revision.units[0].http_port, revision.units[0].grpc_port) == (0, 9000)


def test_an_image_of_the_users_own_catalog_is_a_class_with_its_flags() -> None:
    fields = container("registry.example.com/mine:3", args=["--threshold=0.5", "--http_port=9", "--model_name", "fox"])
    unit = unit_of(isvc(fields), catalog=catalog())

    assert unit.name == "fox"
    assert unit.code == UserCode(target="mine.Model", path="/etc/fairlead/code")
    assert {one.name: one.value for one in unit.parameters} == {"threshold": "0.5"}
    assert unit.http_port == 0


def test_an_image_of_the_users_own_catalog_is_a_command_with_its_arguments() -> None:
    unit = unit_of(isvc(container("tool", args=["--http_port=8080"])), catalog=catalog())

    assert unit.command == ("python", "-m", "tool", "--http_port=8080")
    assert unit.http_port == 8080


def test_a_container_that_has_to_run_first_makes_the_server_a_container() -> None:
    predictor = {**model(), "initContainers": [{"name": "first", "image": "busybox", "args": ["true"]}]}
    component, warnings = lowered(isvc(predictor))
    unit = component.revision.units[0]

    assert unit.runtime == "container"
    assert unit.container is not None
    assert [one.name for one in unit.container.init] == ["first"]
    assert warnings == ["spec.predictor.model: runs as a container: init container first has to run first"]


def test_a_transformer_in_the_predictors_pod_shares_its_process() -> None:
    predictor = {**model(), "containers": [{"name": "transformer-container", "image": "mine"}]}
    revision = lowered(isvc(predictor), catalog=catalog())[0].revision

    assert [unit.name for unit in revision.units] == ["iris", "iris-predictor"]
    assert revision.graph.root == Chain(
        steps=(
            Call(unit=revision.units[0].name, method=Method.TRANSFORM_INPUT),
            Call(unit=revision.units[1].name, method=Method.PREDICT),
            Call(unit=revision.units[0].name, method=Method.TRANSFORM_OUTPUT),
        )
    )


def test_probes_and_files_that_a_process_does_not_have_are_named() -> None:
    fields: dict[str, Any] = {
        "readinessProbe": {"httpGet": {}},
        "volumeMounts": [{"name": "s", "mountPath": "/secrets"}],
    }
    warnings = lowered(isvc({**model(**fields), "volumes": [{"name": "s", "secret": {"secretName": "x"}}]}))[1]

    assert warnings == [
        "spec.predictor.model.readinessProbe is not used: "
        "a server is ready when its port answers, and is started again when it ends",
        "spec.predictor.model.volumeMounts: the process finds nothing at /secrets",
    ]


def test_a_container_is_told_of_its_probes_too() -> None:
    warnings = lowered(isvc(container(readinessProbe={"httpGet": {}})))[1]

    assert len(warnings) == 1
    assert warnings[0].startswith("spec.predictor.containers[0].readinessProbe is not used")


def test_a_program_says_its_ports_where_it_is_named() -> None:
    images = {"server": {"command": ["python", "model.py", "--http_port=8080", "--grpc_port=8081"]}}
    known = Catalog.from_config({"images": images}, Path("/etc/fairlead"))

    unit = unit_of(isvc(container("server:1")), catalog=known)

    assert (unit.runtime, unit.grpc_port) == ("command", 8081)


def test_a_service_says_when_an_environment_is_built() -> None:
    annotations = {"fairlead.dev/environment": "build", "other": "annotation"}

    component, _ = lowered(isvc(container("mine:1"), annotations=annotations), catalog=catalog())

    assert component.revision.annotations == (("fairlead.dev/environment", "build"),)
