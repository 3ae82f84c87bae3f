from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairlead.backends.local.containers import ContainerRun, run_arguments
from fairlead.backends.local.home import Home
from fairlead.backends.local.placing import Identity, once_more, place, rewritten, runtimes_of
from fairlead.backends.local.ports import Ports
from fairlead.backends.local.preparing import Prepared
from fairlead.backends.local.rpc import Forked, Program, ReplicaSpec
from fairlead.dataplane.spec import TcpSocket, UnixSocket
from fairlead.plan.model import Component, Container, Parameter, Resources, Unit, UnitName, Upstream, UserCode
from support.local_world import OWNER, artifact, component, unit

HOME = Home(Path("/home/somebody/.fairlead"))
MIB = 1024 * 1024


def _place(made: Component, prepared: Prepared | None = None, *, data_url: str = "") -> ReplicaSpec:
    identity = Identity(name="r", token="t0")
    return place(OWNER, made, prepared or Prepared(), identity, home=HOME, ports=Ports(), data_url=data_url)


def _beside(spec: ReplicaSpec) -> Program:
    (program,) = [member for member in spec.members if isinstance(member, Program)]
    return program


def _main(spec: ReplicaSpec) -> Forked:
    (main,) = [member for member in spec.members if isinstance(member, Forked) and not member.unit]
    return main


def _named(name: str, **changes: Any) -> Unit:
    return unit(name=UnitName(name), **changes)


def test_units_of_a_revision_share_one_worker() -> None:
    spec = _place(component(_named("a"), _named("b")))

    assert len(spec.members) == 1
    assert [placement.unit for placement in _main(spec).spec.placements] == ["a", "b"]


def test_the_nursery_is_the_one_that_has_the_libraries() -> None:
    model = component(_named("router", runtime="builtin"), _named("code"), _named("model", runtime="sklearn"))

    assert _main(_place(model)).runtime == "sklearn"
    assert runtimes_of(component(_named("code"))) == {"python"}
    assert runtimes_of(component(_named("a", runtime="sklearn"), _named("b", runtime="mlflow", isolate=True))) == {
        "sklearn",
        "mlflow",
    }


def test_a_path_in_a_parameter_or_a_variable_becomes_the_real_one() -> None:
    model = _named(
        "m",
        artifact=artifact(),
        parameters=(Parameter(name="model_uri", value="/mnt/models"), Parameter(name="n", value=3)),
    )
    prepared = Prepared(folders={"m": Path("/cache/x")}, env={"m": {"CONFIG": "/mnt/models/config.json", "K": "v"}})
    worker = _main(_place(component(model), prepared)).spec

    assert [parameter.value for parameter in worker.revision.units[0].parameters] == ["/cache/x", 3]
    assert worker.placements[0].folder == "/cache/x"
    assert worker.placements[0].env == {"CONFIG": "/cache/x/config.json", "K": "v"}


def test_only_whole_paths_are_rewritten() -> None:
    assert rewritten("/mnt/models2", "/mnt/models", "/x") == "/mnt/models2"
    assert rewritten('[{"value":"/mnt/models"},{"value":"/mnt/models/a"}]', "/mnt/models", "/x") == (
        '[{"value":"/x"},{"value":"/x/a"}]'
    )
    assert rewritten("see /mnt/models", "/mnt/models", "/x") == "see /mnt/models"


def test_a_command_gets_real_ports_and_the_worker_its_address() -> None:
    command = _named("c", runtime="command", command=("serve", "now"), http_port=9000, grpc_port=9500)
    env = {"PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "9000", "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "9500", "SIZE": "9000"}
    spec = _place(component(command), Prepared(env={"c": env}))
    (program,) = [member for member in spec.members if isinstance(member, Program)]
    host, _, port = program.address.partition(":")

    assert host == "127.0.0.1"
    assert program.argv == ["serve", "now"]
    assert program.env["PREDICTIVE_UNIT_HTTP_SERVICE_PORT"] == port != "9000"
    assert program.env["PREDICTIVE_UNIT_GRPC_SERVICE_PORT"] not in ("9500", port)
    assert program.env["SIZE"] == "9000"
    placement = _main(spec).spec.placements[0]
    assert (placement.address, placement.env) == (program.address, {})


def test_a_command_whose_manifest_names_no_port_is_told_one_all_the_same() -> None:
    spec = _place(component(_named("c", runtime="command", command=("serve",))))
    (program,) = [member for member in spec.members if isinstance(member, Program)]

    assert program.address == f"127.0.0.1:{program.env['PORT']}"


def test_a_command_that_is_told_its_ports_by_flags_is_told_the_real_ones() -> None:
    words = ("serve", "--http_port=8080", "--grpc-port", "8081", "--size=8080", "8080")
    spec = _place(component(_named("c", runtime="command", command=words, http_port=8080, grpc_port=8081)))
    (program,) = [member for member in spec.members if isinstance(member, Program)]
    _, _, port = program.address.partition(":")

    assert program.argv[:2] == ["serve", f"--http_port={port}"]
    assert program.argv[2] == "--grpc-port"
    assert program.argv[3] not in ("8081", port)
    assert program.argv[4:] == ["--size=8080", "8080"]
    assert "PORT" not in program.env


def test_a_command_finds_its_model_where_it_is() -> None:
    words = ("serve", "--model_dir=/mnt/models", "/mnt/models/a", "--note=see /mnt/models")
    command = _named("c", runtime="command", command=words, artifact=artifact())
    spec = _place(component(command), Prepared(folders={"c": Path("/real")}))
    (program,) = [member for member in spec.members if isinstance(member, Program)]

    assert program.argv == ["serve", "--model_dir=/real", "/real/a", "--note=see /mnt/models"]


def test_an_isolated_unit_is_a_bare_worker_of_its_own() -> None:
    spec = _place(component(_named("a"), _named("b", runtime="sklearn", isolate=True)))
    (alone,) = [member for member in spec.members if isinstance(member, Forked) and member.unit]

    assert (alone.unit, alone.runtime, alone.spec.single_unit) == ("b", "sklearn", True)
    assert [one.name for one in alone.spec.revision.units] == ["b"]
    assert not alone.spec.revision.units[0].is_external
    assert isinstance(alone.spec.http, TcpSocket)
    addresses = {placement.unit: placement.address for placement in _main(spec).spec.placements}
    assert addresses == {"a": "", "b": f"127.0.0.1:{alone.spec.http.port}"}


@pytest.mark.parametrize(
    ("url", "grpc_port", "grpc_address"),
    [
        ("http://models.example:8080/base", 8081, "models.example:8081"),
        ("https://models.example", 0, ""),
        ("[::1]:8080", 8081, "[::1]:8081"),
    ],
)
def test_a_service_elsewhere_is_asked_where_the_plan_says(url: str, grpc_port: int, grpc_address: str) -> None:
    away = _named("away", runtime="remote", url=url, grpc_port=grpc_port)

    (placement,) = _main(_place(component(away))).spec.placements

    assert (placement.address, placement.grpc_address) == (url, grpc_address)


def test_services_of_ours_are_asked_through_the_gateways_socket() -> None:
    near = _named("near", runtime="remote", url="http://iris-predictor.ns/v1/models/m", is_inside=True)

    worker = _main(_place(component(near))).spec

    assert worker.inside == UnixSocket(path=str(HOME.inside_socket))
    assert [placement.address for placement in worker.placements] == [f"unix:{HOME.inside_socket}"]


def test_a_program_finds_its_upstream_at_the_data_port() -> None:
    upstream = Upstream(host="iris-predictor.ns", is_inside=True)
    command = _named("c", runtime="command", command=("t", "--predictor_host", upstream.host), upstream=upstream)
    container = Container(image="x/t:1", args=command.command[1:])
    contained = _named("d", runtime="container", container=container, upstream=upstream)

    program, run = (_beside(_place(component(one), data_url="http://127.0.0.1:8080")) for one in (command, contained))

    assert program.argv[-1] == "127.0.0.1:8080/serving/ns/iris-predictor"
    told = msgspec.json.decode(run.told, type=ContainerRun)
    assert told.main.args[-1] == "host.docker.internal:8080/serving/ns/iris-predictor"
    options = run_arguments(told, told.main, {}, name="n", labels={})
    assert options[options.index("--add-host") + 1] == "host.docker.internal:host-gateway"


def test_the_memory_limit_is_the_sum_unless_a_unit_has_none() -> None:
    limited = Resources(memory_limit_bytes=100 * MIB)
    both = component(_named("a", resources=limited), _named("b", resources=limited))
    one = component(_named("a", resources=limited), _named("b"))
    with_router = component(_named("a", resources=limited), _named("r", runtime="builtin"))

    assert _main(_place(both)).spec.memory_limit_bytes == 200 * MIB
    assert _main(_place(one)).spec.memory_limit_bytes is None
    assert _main(_place(with_router)).spec.memory_limit_bytes == 100 * MIB


def test_a_worker_has_one_thread_unless_its_cpu_limit_says_more() -> None:
    plain, wide = _main(_place(component())), _main(_place(component(unit(resources=Resources(cpu_limit=2.5)))))

    assert (plain.spec.threads, plain.env) == (1, {})
    assert wide.spec.threads == 3
    assert wide.env["OMP_NUM_THREADS"] == "3"


def test_user_code_runs_where_its_files_are() -> None:
    mine = _named("a", code=UserCode(target="Model", path="/code/a"))
    other = _named("b", code=UserCode(target="Model", path="/code/b"))

    assert _main(_place(component(mine))).cwd == "/code/a"
    assert _main(_place(component(mine, other))).cwd == str(HOME.work / "r")


def test_a_replica_that_starts_again_gets_a_new_socket_and_keeps_the_rest() -> None:
    spec = _place(component(_named("a"), _named("b", isolate=True)))
    again = once_more(spec, Identity(name="r", token="t1", restarts=2, failures=1, has_served=True), home=HOME)

    assert again.frames == str(HOME.run / "t1.sock")
    assert _main(again).spec.frames == msgspec.structs.replace(_main(spec).spec.frames, path=again.frames)  # type: ignore[type-var]
    assert (again.restarts, again.failures, again.has_served) == (2, 1, True)
    assert again.members[1] == spec.members[1]


def test_secret_values_travel_with_the_spec_for_redaction() -> None:
    assert _place(component(), Prepared(secrets=frozenset({"hunter2"}))).secrets == ["hunter2"]


def test_a_spec_survives_its_way_to_the_supervisor() -> None:
    spec = _place(replace(component(_named("a"), _named("c", runtime="command", command=("x",))), full_name="x"))

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(spec), type=ReplicaSpec) == spec
