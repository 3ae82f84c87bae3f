"""`fairlead diff` on a cluster: the objects of manifests beside those that are there, with an operator and without."""

from pathlib import Path

import pytest
import yaml

from fairlead.backends.kubernetes.install.crds import definitions
from fairlead.backends.kubernetes.operator.comparing import marked
from fairlead.backends.kubernetes.operator.images import with_images_kept
from fairlead.cli.app import run
from fairlead.dialects.seldon import SeldonDialect
from support.cluster.apart import Apart
from support.operators import DEPLOYMENT, sdep

pytestmark = pytest.mark.slow
NO_ROUTES = "routing: none\n"


@pytest.fixture
def given(apart: Apart, tmp_path: Path) -> list[str]:
    (tmp_path / "values.yaml").write_text(NO_ROUTES)
    return ["-f", str(tmp_path / "m.yaml"), "--values", str(tmp_path / "values.yaml")]


def write(folder: Path, **predictor: object) -> None:
    manifest = sdep()
    manifest["spec"]["predictors"][0] |= predictor
    (folder / "m.yaml").write_text(yaml.safe_dump(manifest))


def rendered(given: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    assert run(["render", *given]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def told(given: list[str], options: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    status = run(["diff", *given, *options])
    return status, capsys.readouterr().out.splitlines()


def test_without_an_operator_the_objects_are_all_there_is(
    apart: Apart, given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    options = apart.options(tmp_path)

    new = told(given, options, capsys)
    for made in rendered(given, capsys):
        apart.apply(made)
    same = told(given, options, capsys)
    write(tmp_path, replicas=3)
    more = told(given, options, capsys)

    assert new[0] == 1
    assert f"deployment.apps/{DEPLOYMENT} would be created" in new[1]
    assert same == (0, [])
    assert more == (1, [f"deployment.apps/{DEPLOYMENT} would change", "  spec.replicas"])
    live = apart.cluster.get("Deployment", DEPLOYMENT)
    assert live["spec"]["replicas"] == 1


def test_the_operators_own_notes_are_no_change(
    apart: Apart, given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    options = apart.options(tmp_path)

    for made in with_images_kept(rendered(given, capsys), {}, "fairlead/fairlead:latest"):
        apart.apply(marked(made))

    assert told(given, options, capsys) == (0, [])


def test_what_a_resource_does_not_want_any_more_would_be_deleted(
    apart: Apart, given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    for definition in definitions([SeldonDialect()]):
        apart.apply(definition)
    apart.create(sdep())
    uid = apart.cluster.get("SeldonDeployment", "iris")["metadata"]["uid"]
    owner = {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", "name": "iris", "uid": uid}
    for made in rendered(given, capsys):
        metadata = {**dict(made["metadata"]), "ownerReferences": [{**owner, "controller": True}]}  # type: ignore[call-overload]
        apart.apply({**made, "metadata": metadata})

    write(tmp_path, name="main")
    status, lines = told(given, apart.options(tmp_path), capsys)

    assert status == 1
    assert lines[0] == "seldondeployment.machinelearning.seldon.io/iris would change"
    assert f"deployment.apps/{DEPLOYMENT} would be deleted" in lines
    assert "deployment.apps/iris-main-0-classifier would be created" in lines


def test_a_kind_that_the_cluster_lacks_is_told_and_is_no_change(
    apart: Apart, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    (tmp_path / "values.yaml").write_text("routing: gateway-api\n")

    run(["diff", "-f", str(tmp_path / "m.yaml"), *apart.options(tmp_path)])

    printed = capsys.readouterr()
    assert "this cluster does not have HTTPRoute of gateway.networking.k8s.io/v1, which iris would be" in printed.err
    assert "HTTPRoute" not in printed.out
