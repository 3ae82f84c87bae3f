"""How BentoML is started, for each kind of part and each version."""

from pathlib import Path

from fairlead.backends.local.bentos.programs import bento_program
from fairlead.backends.local.bentos.routes import routes_between
from fairlead.backends.local.commands import UnitPorts
from fairlead.backends.local.rpc import Program
from fairlead.plan.model import BentoPart, ComponentName, EnvVar, Resources
from fairlead.runtimes.bento.description import describe, read
from fairlead.runtimes.bento.values import Description
from support.local_world import OWNER, component, plan, unit

DESCRIBED = Path(__file__).parents[3] / "fixtures" / "bentos" / "described"


def program(part: BentoPart, bento: str | Description = "1.4.39", **env: str) -> Program:
    return bento_program(
        unit(runtime="bento", bento=part, resources=Resources(cpu_limit=1.5)),
        describe(DESCRIBED / bento) if isinstance(bento, str) else bento,
        owner=OWNER,
        folder=Path("/cache/bento"),
        python=Path("/envs/one/bin/python"),
        env=env,
        real=UnitPorts(http=4711),
        workdir=Path("/srv/one"),
        inside=Path("/run/inside.sock"),
    )


def words(made: Program) -> list[str]:
    """What follows our own script's options."""
    return made.argv[made.argv.index("--") + 1 :]


RUNNER = BentoPart(runner="offset")
SERVER = BentoPart(peers=(("offset", ComponentName("offset")),))


def test_a_whole_bento_is_served_as_it_is() -> None:
    made = program(BentoPart())

    assert words(made) == ["serve", "{bento}", "--host", "127.0.0.1", "--port", "4711"]
    assert made.argv[0] == "/envs/one/bin/python"
    assert (made.folder, made.python, made.address) == ("/cache/bento", "/envs/one/bin/python", "127.0.0.1:4711")
    assert (made.ready_path, made.live_path) == ("/readyz", "/livez")


def test_parts_that_run_elsewhere_are_asked_through_the_gateway() -> None:
    assert words(program(SERVER, "1.1.11"))[:4] == [
        "start-http-server",
        "{bento}",
        "--remote-runner",
        "offset=file:///run/inside.sock",
    ]
    assert words(program(SERVER, "1.3.22"))[:4] == [
        "start-http-server",
        "{bento}",
        "--depends",
        "offset=file:///run/inside.sock",
    ]


def test_a_part_is_started_by_its_name() -> None:
    assert words(program(RUNNER, "1.0.25"))[:4] == ["start-runner-server", "{bento}", "--runner-name", "offset"]
    assert words(program(RUNNER, "1.4.39"))[:4] == ["start-http-server", "{bento}", "--service-name", "offset"]
    inner = program(BentoPart(service="Inner"), "1.4.39")
    assert words(inner)[:4] == ["start-http-server", "{bento}", "--service-name", "Inner"]


def test_its_surroundings_are_yatais_and_private_and_the_manifest_has_the_last_word() -> None:
    env = program(BentoPart(), "1.1.11", GREETING="mine", PORT="80").env

    assert env["YATAI_BENTO_DEPLOYMENT_NAME"] == "iris"
    assert env["YATAI_BENTO_DEPLOYMENT_NAMESPACE"] == "ns"
    assert env["BENTOML_HOME"].startswith("/srv/one/")
    assert env["BENTOML_DO_NOT_TRACK"] == "True"
    assert env["GREETING"] == "mine"
    assert env["PORT"] == "4711"


def test_old_servers_take_as_many_workers_as_the_manifest_gives_cores() -> None:
    assert program(BentoPart(), "1.1.11").env["BENTOML_API_WORKERS"] == "2"
    assert program(BentoPart(), "1.1.11", BENTOML_API_WORKERS="5").env["BENTOML_API_WORKERS"] == "5"
    assert "BENTOML_API_WORKERS" not in program(BentoPart(), "1.4.39").env


def test_health_is_asked_for_where_a_service_has_it() -> None:
    config = {"endpoints": {"livez": "/alive", "readyz": "nonsense"}}
    services = [{"name": "S", "config": config}]
    head = {"name": "b", "version": "v", "service": "s:S", "bentoml_version": "1.4.39", "entry_service": "S"}
    made = program(BentoPart(), read({**head, "services": services}))

    assert (made.ready_path, made.live_path) == ("/readyz", "/alive")


def test_calls_between_parts_find_them_by_what_bentoml_says_in_headers() -> None:
    server = component(unit(runtime="bento", bento=SERVER), name="api-server")
    runner = component(unit(runtime="bento", bento=RUNNER, env=(EnvVar(name="A"),)), name="offset")
    (route,) = routes_between(plan(server, runner))

    assert route.is_internal
    assert [target.component for target in route.targets] == ["offset"]
    assert {match.name: match.value for match in route.headers} == {
        "Runner-Name": "offset",
        "Yatai-Bento-Deployment-Name": "iris",
        "Yatai-Bento-Deployment-Namespace": "ns",
    }
