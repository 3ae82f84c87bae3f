"""Starting, stopping and being stopped."""

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import yaml

from support.certificates import make_certificate
from support.instance import FAIRLEAD, Installation, call, installation, lives, until
from support.manifests import sdep, sklearn

pytestmark = pytest.mark.slow

FREE = ("--port", "0", "--grpc-port", "0", "--control-port", "0")


def fairlead(*arguments: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    command = [str(FAIRLEAD), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env={**os.environ, **(env or {})})


def start(home: Path) -> tuple["subprocess.Popen[str]", Installation]:
    """`up` in the foreground, serving."""
    command = [str(FAIRLEAD), "up", "--home", str(home), *FREE, "-o", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        text += line
    found = json.loads(text)
    return process, Installation(home=home, url=found["url"], control_url=found["controlUrl"], pid=found["pid"])


def finish(process: "subprocess.Popen[str]", running: Installation, number: int) -> tuple[int, str]:
    """Send a signal and see everything end; the exit code and what was said."""
    family = [*running.descendants(), process.pid]
    process.send_signal(number)
    _, complaint = process.communicate(timeout=60)
    until(lambda: not any(lives(pid) for pid in family), timeout_s=40, what="the end of every process")
    return process.returncode, complaint


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_ends_cleanly_when_it_is_asked_to(tmp_path: Path, number: int) -> None:
    process, running = start(tmp_path / "home")

    code, complaint = finish(process, running, number)

    assert code == 0
    assert "Traceback" not in complaint


def test_nothing_outlives_an_up_that_was_killed(tmp_path: Path) -> None:
    process, running = start(tmp_path / "home")

    code, _ = finish(process, running, signal.SIGKILL)

    assert code == -signal.SIGKILL
    assert not (tmp_path / "home" / "instance.json").exists()


def test_a_home_has_one_instance(tmp_path: Path) -> None:
    with installation(tmp_path / "home") as running:
        again = fairlead("up", "--home", str(tmp_path / "home"), *FREE)

    assert again.returncode == 1
    assert f"{running.url} (process {running.pid})" in again.stderr
    assert "fairlead down" in again.stderr


def test_down_stops_it_and_status_says_so(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    with installation(tmp_path / "home"):
        stopped = fairlead("down", "--home", home)
        again = fairlead("down", "--home", home)
        status = fairlead("status", "--home", home)
        listed = fairlead("get", "sdep", "--home", home)

    assert stopped.stdout == "Fairlead has stopped.\n"
    assert (again.returncode, again.stdout) == (0, f"Fairlead is not running in {home}.\n")
    assert status.returncode == 1
    assert "`fairlead up` starts it" in status.stderr
    assert (listed.returncode, listed.stderr) == (1, status.stderr)


def test_a_port_in_use_is_one_clear_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = fairlead("up", "--home", str(tmp_path), "--port", str(port), "--grpc-port", "0", "--control-port", "0")

    assert done.returncode == 1
    way_out = "choose another with --port or FAIRLEAD_PORT"
    assert done.stderr == f"fairlead: port {port} on 127.0.0.1 is in use by another program; {way_out}\n"


def test_other_machines_are_let_in_with_a_token_only(tmp_path: Path) -> None:
    done = fairlead("up", "--home", str(tmp_path), "--host", "0.0.0.0", *FREE)

    assert done.returncode == 1
    assert "a token is needed" in done.stderr


def test_a_token_is_asked_for_and_known_to_the_command_line(tmp_path: Path) -> None:
    with installation(tmp_path / "home", env={"FAIRLEAD_TOKEN": "hush"}) as running:
        refused = call(f"{running.control_url}/api/v1/namespaces")
        listed = running.run("get", "namespaces", "-o", "name").stdout

    assert refused.status == 401
    assert "namespace/default" in listed
    assert (tmp_path / "home" / "kubeconfig").stat().st_mode & 0o077 == 0


def test_an_instance_that_runs_already_is_named_and_not_its_port(tmp_path: Path) -> None:
    with installation(tmp_path / "home") as running:
        port = running.url.rpartition(":")[2]
        done = fairlead("up", "--home", str(running.home), "--port", port)

    assert done.returncode == 1
    assert done.stderr.startswith(f"fairlead: Fairlead runs in {running.home} already: {running.url} (process ")


def test_a_mistake_in_the_configuration_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[images.x]\nklass = 'A'\n")

    done = fairlead("up", "--home", str(tmp_path), *FREE)

    accepted = "accepted: class, path, env, command"
    assert done.returncode == 1
    assert done.stderr == f"fairlead: {tmp_path}/config.toml: [images.\"x\"]: unknown key 'klass'; {accepted}\n"


def test_a_port_that_does_not_exist_is_refused_with_its_flag(tmp_path: Path) -> None:
    done = fairlead("up", "--home", str(tmp_path / "home"), "--port", "99999")

    assert done.returncode == 1
    assert done.stderr == "fairlead: --port: must be a port number, 0 to 65535\n"


def test_two_ports_that_are_the_same_are_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = str(held.getsockname()[1])
    home = tmp_path / "home"

    done = fairlead("up", "--home", str(home), "--port", port, "--grpc-port", "0", "--control-port", port)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"--port and --control-port are both {port}" in done.stderr
    assert not home.exists()


def test_a_certificate_with_the_key_of_another_is_refused_before_anything_starts(tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    other.mkdir()
    certificate, key = make_certificate(tmp_path)[0], make_certificate(other)[1]

    done = fairlead("up", "--home", str(home), *FREE, "--tls-cert", str(certificate), "--tls-key", str(key))

    pair = f"the TLS certificate {certificate} and key {key}"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"fairlead: {pair} cannot be used: the key belongs to another certificate\n"


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    done = fairlead("up", "--home", "/proc/nothing", *FREE)

    assert done.returncode == 1
    assert done.stderr == "fairlead: /proc/nothing: No such file or directory\n"


def test_an_empty_home_variable_means_the_usual_home(tmp_path: Path) -> None:
    done = fairlead("status", env={"FAIRLEAD_HOME": "", "HOME": str(tmp_path)})

    assert done.stderr == f"fairlead: Fairlead is not running in {tmp_path}/.fairlead; `fairlead up` starts it\n"


def test_of_two_ups_at_once_one_serves_and_the_other_spoils_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [str(FAIRLEAD), "up", "--detach", "--home", str(home), *FREE]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=100) for process in both]
    try:
        listed = fairlead("get", "namespaces", "-o", "name", "--home", str(home))
    finally:
        fairlead("down", "--home", str(home))

    assert sorted(process.returncode for process in both) == [0, 1]
    complaint = next(text for process, (_, text) in zip(both, said, strict=True) if process.returncode)
    assert "Traceback" not in complaint
    assert "namespace/default" in listed.stdout


def test_what_was_started_detached_goes_on_although_nobody_reads_where(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    command = [str(FAIRLEAD), "up", "--detach", "--home", home, *FREE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as starting:
        assert starting.stdout is not None
        starting.stdout.close()
        starting.wait(timeout=100)
    try:
        shown = fairlead("status", "--home", home)
    finally:
        fairlead("down", "--home", home)

    assert shown.stdout.startswith("Fairlead runs in "), shown.stderr


def write(folder: Path, document: object) -> str:
    path = folder / "m.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def test_run_gives_a_command_an_instance_and_passes_its_exit_code_on(tmp_path: Path, iris: Path) -> None:
    file = write(tmp_path, sdep("once", sklearn(iris)))
    script = (
        'echo "url $FAIRLEAD_URL $FAIRLEAD_GRPC"; fairlead predict once --data "[[1,2,3,4]]"; ls "$KUBECONFIG"; exit 7'
    )
    path = {"PATH": f"{FAIRLEAD.parent}:{os.environ['PATH']}"}

    done = fairlead("run", "-f", file, "--", "sh", "-c", script, env=path)

    assert done.returncode == 7, done.stderr
    assert re.search(r"url http://127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+\n", done.stdout)
    assert '"names":["t:0","t:1","t:2"]' in done.stdout
    kubeconfig = Path(done.stdout.splitlines()[-1])
    assert kubeconfig.name == "kubeconfig"
    assert not kubeconfig.parent.exists()


def test_run_ends_with_the_reason_when_a_deployment_fails(tmp_path: Path) -> None:
    file = write(tmp_path, sdep("doomed", sklearn(tmp_path / "gone")))

    done = fairlead("run", "-f", file, "--", "echo", "never")

    assert done.returncode == 1
    assert "never" not in done.stdout
    assert "seldondeployment/doomed in namespace default failed" in done.stderr


def test_run_tells_a_command_that_does_not_exist(tmp_path: Path, iris: Path) -> None:
    done = fairlead("run", "-f", write(tmp_path, sdep("once", sklearn(iris))), "--", "no-such-program")

    assert done.returncode == 127
    assert "no-such-program: No such file or directory" in done.stderr
