"""Every command against a running installation, as its own process."""

import json
import os
import pty
import re
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.instance import FAIRLEAD, Installation
from support.manifests import sdep, sklearn

pytestmark = pytest.mark.slow


def write(folder: Path, *documents: dict[str, Any], name: str = "m.yaml") -> str:
    path = folder / name
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


def test_apply_tells_what_became_of_each_object(running: Installation, iris: Path, tmp_path: Path) -> None:
    first = write(tmp_path, sdep("told", sklearn(iris), namespace="told"))

    created = running.run("apply", "-f", first).stdout.splitlines()
    again = running.run("apply", "-f", first).stdout.splitlines()
    second = write(tmp_path, sdep("told", sklearn(iris, replicas=2), namespace="told"))
    changed = running.run("apply", "-f", second).stdout.splitlines()

    label = "seldondeployment.machinelearning.seldon.io/told"
    assert created == ["namespace/told created", f"{label} created"]
    assert again == [f"{label} unchanged"]
    assert changed == [f"{label} configured"]


def test_what_was_printed_can_be_applied_again(running: Installation) -> None:
    printed = running.run("get", "sdep", "iris", "-n", "seldon", "-o", "yaml").stdout

    done = running.run("apply", "-f", "-", "--force-conflicts", stdin=printed)

    assert "seldondeployment.machinelearning.seldon.io/iris" in done.stdout


def test_apply_with_wait_ends_when_the_model_answers(running: Installation, iris: Path, tmp_path: Path) -> None:
    file = write(tmp_path, sdep("waited", sklearn(iris)))

    lines = running.run("apply", "-f", file, "--wait").stdout.splitlines()

    assert lines[-1] == "seldondeployment/waited Available"
    assert running.predict("waited", {"data": {"ndarray": [[1, 2, 3, 4]]}}).status == 200


def test_apply_with_wait_tells_why_a_model_fails(running: Installation, tmp_path: Path) -> None:
    file = write(tmp_path, sdep("doomed", sklearn(tmp_path / "nothing-here")))

    done = running.run("apply", "-f", file, "--wait", check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("fairlead: seldondeployment/doomed in namespace default failed:")
    assert "nothing-here" in done.stderr
    assert done.stdout.endswith("seldondeployment/doomed Failed\n")
    assert "Traceback" not in done.stderr


def test_a_manifest_with_mistakes_is_refused_with_its_place(running: Installation, tmp_path: Path) -> None:
    mistaken = sdep("mistaken", {"name": "default", "graph": {"name": "c", "implementation": "SKLEARN_SERVER"}})
    file = write(tmp_path, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fine"}}, mistaken)

    done = running.run("apply", "-f", file, check=False)

    assert done.returncode == 1
    assert f"{file}:6: " in done.stderr
    assert "modelUri required" in done.stderr


def test_a_refused_file_of_a_folder_keeps_no_other_from_being_applied(running: Installation, tmp_path: Path) -> None:
    write(tmp_path, sdep("early", namespace="folder"), name="a.yaml")
    write(
        tmp_path,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late", "namespace": "folder"}},
        name="b.yaml",
    )

    done = running.run("apply", "-f", str(tmp_path), check=False)

    assert done.returncode == 1
    assert "configmap/late created" in done.stdout
    assert "Graph contains no predictors" in done.stderr


def test_a_field_that_means_nothing_is_warned_of(running: Installation, iris: Path, tmp_path: Path) -> None:
    misspelt = sdep("misspelt", {**sklearn(iris), "replicsa": 2}, namespace="folder")
    path = write(tmp_path, misspelt)

    validated = running.run("validate", "-f", path)
    applied = running.run("apply", "-f", path)

    assert "spec.predictors[0].replicsa" in validated.stderr
    assert "replicsa" in applied.stderr
    assert "misspelt created" in applied.stdout


def test_a_kind_that_nobody_knows_lists_those_that_are_known(running: Installation, tmp_path: Path) -> None:
    file = write(tmp_path, {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "x"}})

    done = running.run("apply", "-f", file, check=False)

    assert done.returncode == 1
    assert f"{file}:1: CronJob/x: the server does not know CronJob of batch/v1" in done.stderr
    assert "SeldonDeployment (machinelearning.seldon.io/v1)" in done.stderr


def test_get_prints_the_servers_table(running: Installation) -> None:
    lines = running.run("get", "sdep", "iris", "-n", "seldon").stdout.splitlines()

    assert lines[0].split()[:2] == ["NAME", "STATE"]
    assert lines[1].split()[:2] == ["iris", "Available"]


def test_get_everywhere_names_the_namespaces(running: Installation) -> None:
    lines = running.run("get", "seldondeployments", "-A").stdout.splitlines()

    assert lines[0].startswith("NAMESPACE")
    assert any(line.split()[:2] == ["seldon", "iris"] for line in lines)


def test_get_as_json_is_the_object_or_a_list_of_them(running: Installation) -> None:
    one = json.loads(running.run("get", "sdep/iris", "-n", "seldon", "-o", "json").stdout)
    several = json.loads(running.run("get", "sdep", "-n", "seldon", "-o", "json").stdout)

    assert (one["kind"], one["metadata"]["name"]) == ("SeldonDeployment", "iris")
    assert several["kind"] == "List"
    assert [item["kind"] for item in several["items"]] == ["SeldonDeployment"]


def test_names_can_be_piped_to_other_commands(running: Installation) -> None:
    name = "seldondeployment.machinelearning.seldon.io/iris"

    assert running.run("get", "sdep", "-n", "seldon", "-o", "name").stdout == f"{name}\n"
    assert running.run("wait", name, "-n", "seldon").stdout == f"{name} condition met\n"


def test_several_kinds_are_several_tables(running: Installation) -> None:
    text = running.run("get", "sdep,pods", "-n", "seldon").stdout

    assert text.count("NAME ") == 2


def test_an_object_that_is_elsewhere_is_pointed_to(running: Installation) -> None:
    missing = running.run("get", "sdep", "iris", check=False)
    nowhere = running.run("get", "sdep", "nope", check=False)

    assert (missing.returncode, nowhere.returncode) == (1, 1)
    assert "it is in seldon: add -n seldon" in missing.stderr
    assert '"nope" not found' in nowhere.stderr


def test_an_empty_list_says_where_there_are_some(running: Installation) -> None:
    done = running.run("get", "sdep", "-n", "empty")

    assert done.stdout == ""
    assert done.stderr.startswith("No resources found in namespace empty; there are some in")


def test_a_label_selects(running: Installation) -> None:
    assert "iris" in running.run("get", "pods", "-n", "seldon", "-l", "fairlead.dev/service=iris").stdout
    assert running.run("get", "pods", "-n", "seldon", "-l", "fairlead.dev/service=other").stdout == ""


def test_watching_prints_changes_until_it_is_interrupted(running: Installation) -> None:
    command = [str(FAIRLEAD), "get", "configmaps", "-w", "-o", "name", "--home", str(running.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seen"}}
        running.api("/api/v1/namespaces/default/configmaps", "POST", body)

        assert watching.stdout.readline() == "configmap/seen\n"
        watching.send_signal(2)
        code = watching.wait(timeout=20)
        complaint = watching.stderr.read()

    assert (code, complaint) == (130, "")


def test_describe_puts_state_first_and_events_last(running: Installation) -> None:
    text = running.run("describe", "sdep", "iris", "-n", "seldon").stdout

    assert text.index("State:        Available") < text.index("Spec:") < text.index("Events:")
    assert "Downloaded" in text[text.index("Events:") :]


def test_describe_hides_what_a_secret_holds(running: Installation, tmp_path: Path) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden"}, "stringData": {"KEY": "hush"}}
    running.run("apply", "-f", write(tmp_path, secret))

    text = running.run("describe", "secret", "hidden").stdout

    assert "KEY: (hidden)" in text
    assert "hush" not in text
    assert "aHVzaA" not in text


def test_predict_finds_the_namespace_and_wraps_rows(running: Installation) -> None:
    answer = json.loads(running.run("predict", "iris", "--data", "[[5.1,3.5,1.4,0.2]]").stdout)

    assert answer["data"]["names"] == ["t:0", "t:1", "t:2"]


def test_predict_reads_data_from_standard_input(running: Installation) -> None:
    answer = json.loads(running.run("predict", "iris", "-d", "-", stdin='{"data":{"ndarray":[[1,2,3,4]]}}').stdout)

    assert len(answer["data"]["ndarray"][0]) == 3


def test_a_refused_prediction_is_printed_and_fails(running: Installation) -> None:
    done = running.run("predict", "iris", "--data", '{"nonsense": 1}', check=False)

    assert done.returncode == 1
    assert json.loads(done.stdout)["status"]["status"] in (1, "FAILURE")
    assert "the model answered 400 Bad Request" in done.stderr


def test_predicting_with_a_model_that_is_not_there_says_so(running: Installation) -> None:
    done = running.run("predict", "nope", "--data", "[[1]]", check=False)

    assert done.returncode == 1
    assert "named 'nope' in any namespace" in done.stderr


def test_logs_of_a_deployment_are_what_its_replicas_wrote(running: Installation, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.joblib").write_bytes(b"not a model")
    running.run("apply", "-f", write(tmp_path, sdep("talker", sklearn(broken))))
    running.wait_for("talker", "Failed")

    text = running.run("logs", "talker").stdout

    assert "Traceback" in text


def test_logs_of_nothing_say_what_was_looked_for(running: Installation) -> None:
    done = running.run("logs", "nope", check=False)

    assert done.returncode == 1
    assert "no pod and no deployment named 'nope'" in done.stderr


def test_waiting_ends_with_three_when_time_is_up(running: Installation) -> None:
    done = running.run(
        "wait", "sdep/iris", "-n", "seldon", "--for", "jsonpath={.status.state}=Never", "--timeout", "50ms", check=False
    )

    assert done.returncode == 3
    assert "it is Available" in done.stderr


def test_delete_by_file_takes_everything_and_then_says_it_is_gone(running: Installation, tmp_path: Path) -> None:
    documents = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}},
    ]
    file = write(tmp_path, *documents)
    running.run("apply", "-f", file)

    first = running.run("delete", "-f", file)
    second = running.run("delete", "-f", file, check=False)
    third = running.run("delete", "-f", file, "--ignore-not-found")

    assert first.stdout.splitlines() == ['configmap "b" deleted', 'configmap "a" deleted']
    assert second.returncode == 1
    assert second.stderr.count("not found") == 2
    assert third.stdout == ""


def test_delete_needs_to_know_which(running: Installation) -> None:
    done = running.run("delete", "sdep", check=False)

    assert done.returncode == 2
    assert "Give names, -l LABELS, or --all" in done.stderr


def test_wait_for_delete_ends_when_it_is_gone(running: Installation, iris: Path, tmp_path: Path) -> None:
    running.run("apply", "--wait", "-f", write(tmp_path, sdep("leaving", sklearn(iris))))
    running.run("delete", "sdep", "leaving")

    assert "deleted" in running.run("wait", "sdep/leaving", "--for", "delete", check=False).stdout


def test_status_lists_what_is_served(running: Installation) -> None:
    document = json.loads(running.run("status", "-o", "json").stdout)

    assert document["url"] == running.url
    (iris,) = [item for item in document["serving"] if item["name"] == "iris"]
    assert iris["state"] == "Available"
    shown = json.loads(running.run("get", "sdep", "iris", "-n", "seldon", "-o", "json").stdout)
    assert iris["url"] == shown["status"]["address"]["url"]
    assert iris["url"].startswith(running.url)


def test_status_lists_a_graph_that_waits_for_its_services(running: Installation, tmp_path: Path) -> None:
    graph = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "lonely"},
        "spec": {"nodes": {"root": {"routerType": "Sequence", "steps": [{"serviceName": "gone"}]}}},
    }
    running.run("apply", "-f", write(tmp_path, graph))
    running.run("wait", "ig/lonely", "--for", "condition=Ready=False")

    served = json.loads(running.run("status", "-o", "json").stdout)["serving"]

    (item,) = [one for one in served if one["kind"] == "InferenceGraph"]
    assert (item["name"], item["why"]) == ("lonely", "Failed to find graph service gone")


def test_status_says_where_a_deployment_of_another_protocol_is_asked(
    running: Installation, iris: Path, tmp_path: Path
) -> None:
    running.run("apply", "--wait", "-f", write(tmp_path, sdep("flowers", sklearn(iris), protocol="v2")))

    (item,) = [
        item for item in json.loads(running.run("status", "-o", "json").stdout)["serving"] if item["name"] == "flowers"
    ]

    assert item["url"] == f"{running.url}/seldon/default/flowers/v2/models/classifier/infer"


def screens(command: list[str], env: dict[str, str]) -> Iterator[str]:
    """What a terminal is sent, piece by piece."""
    leader, follower = pty.openpty()
    with subprocess.Popen(command, env=env, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        while select.select([leader], [], [], 60)[0]:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break
            yield piece.decode(errors="replace")
        process.wait(timeout=20)
    os.close(leader)


def test_a_person_sees_a_live_view_that_ends_in_a_tick(running: Installation, iris: Path, tmp_path: Path) -> None:
    file = write(tmp_path, sdep("watched", sklearn(iris)))
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "FAIRLEAD_HOME": str(running.home)}

    shown = "".join(screens([str(FAIRLEAD), "apply", "-f", file, "--wait"], env))

    assert "\x1b[?25l" in shown  # the cursor is hidden while the view is alive
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert re.search(r"✓ seldondeployment/watched\s+\S*Available", shown)


def test_settings_that_no_service_could_be_read_by_are_refused(running: Installation, tmp_path: Path) -> None:
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "inferenceservice-config", "namespace": "kserve"},
        "data": {"ingress": "{ingressDomain: x}"},
    }

    done = running.run("apply", "-f", write(tmp_path, settings), check=False)

    assert done.returncode == 1
    assert "data: unable to parse ingress config json: " in done.stderr
    assert "ingressDomain: x" not in running.run("get", "cm", "-n", "kserve", "-o", "yaml").stdout
