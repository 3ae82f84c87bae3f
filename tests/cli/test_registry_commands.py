"""`fairlead push`, `pull`, `models`, `bentos`, `tag` and `rm` against a registry that runs."""

import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from fairlead.cli.app import run
from fairlead.registry.service import RegistryConfig
from fairlead.storage.fetch import Fetcher
from fairlead.storage.registry import TOKEN, URL
from support.models import train_iris_sklearn
from support.registry_server import RegistryServer, registry_server

pytestmark = pytest.mark.slow
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module", params=["proxy", "presigned_url"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    folder = tmp_path_factory.mktemp("registry")
    config = RegistryConfig.of_home(folder / "registry", transmission_strategy=request.param)
    with registry_server(folder, config) as server:
        yield server


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_iris_sklearn(tmp_path_factory.mktemp("models") / "Iris Model")


@pytest.fixture
def fairlead(server: RegistryServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv(URL, server.url)
    monkeypatch.setenv(TOKEN, server.owner)

    def command(*words: str | Path) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out.strip(), said.err.strip()

    return command


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_model_goes_there_and_comes_back_the_same(fairlead: Command, model: Path, tmp_path: Path) -> None:
    pushed = fairlead("push", model, "round-trip:v1", "--label", "team=a")
    pulled = fairlead("pull", "round-trip:v1", tmp_path / "copy")

    assert pushed[:2] == (0, "fairlead://round-trip:v1")
    assert pulled[:2] == (0, str(tmp_path / "copy"))
    assert {name: content for name, content in tree(tmp_path / "copy").items() if name != "model.yaml"} == tree(model)


def test_what_is_known_of_a_version_is_shown(fairlead: Command, model: Path) -> None:
    fairlead("push", model, "described:v1", "--label", "team=a", "--description", "Irises.")

    shown = fairlead("models", "described:v1")[1]
    found = json.loads(fairlead("models", "described:v1", "-o", "json")[1])

    assert "format:      sklearn" in shown
    assert "inputs:      input-0 FP64 [-1, 4]" in shown
    assert "labels:      team=a" in shown
    assert found["digest"].startswith("sha256:")
    assert found["manifest"]["context"]["framework_versions"].keys() == {"scikit-learn"}


def test_without_a_name_and_a_version_both_are_made_of_the_files(fairlead: Command, model: Path) -> None:
    first = fairlead("push", model)
    again = fairlead("push", model)

    assert first[1].startswith("fairlead://iris-model:")
    assert again[1] == first[1]
    assert again[2].endswith("is there already")


def test_a_version_that_is_there_is_replaced_when_somebody_says_so(
    fairlead: Command, model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.onnx").write_bytes(b"weights")
    fairlead("push", model, "replaced:v1")

    kept = fairlead("push", other, "replaced:v1")
    replaced = fairlead("push", other, "replaced:v1", "--force")
    fairlead("pull", "replaced:v1", tmp_path / "copy")

    assert kept[2] == "replaced:v1 is there already"
    assert "replaced:v1 pushed" in replaced[2]
    assert (tmp_path / "copy" / "model.onnx").read_bytes() == b"weights"


def test_a_name_points_where_it_was_put_last(fairlead: Command, model: Path, tmp_path: Path) -> None:
    fairlead("push", model, "named:v1")
    fairlead("push", model, "named:v2")

    fairlead("tag", "named:v1", "production", "stable")
    fairlead("tag", "named:v2", "production")
    fairlead("tag", "named", "stable", "--remove")
    found = json.loads(fairlead("models", "named:production", "-o", "json")[1])

    assert found["version"] == "v2"
    assert fairlead("models", "named:stable")[0] == 1


def test_lists_begin_with_the_newest_and_are_searched_by_label(fairlead: Command, model: Path) -> None:
    for version, team in (("v1", "a"), ("v2", "b"), ("v3", "a")):
        fairlead("push", model, f"listed:{version}", "--label", f"team={team}")

    def versions(*flags: str) -> list[str]:
        return [item["version"] for item in json.loads(fairlead("models", "listed", "-o", "json", *flags)[1])]

    assert versions() == ["v3", "v2", "v1"]
    assert versions("--search", "label:team=a") == ["v3", "v1"]
    assert versions("--limit", "1") == ["v3"]
    assert "TAG" in fairlead("models")[1].splitlines()[0]


def test_what_was_removed_is_gone(fairlead: Command, model: Path) -> None:
    fairlead("push", model, "gone:v1")
    fairlead("push", model, "gone:v2")

    assert fairlead("rm", "gone:v1")[0] == 0
    assert fairlead("models", "gone:v1")[0] == 1
    assert fairlead("rm", "gone")[0] == 0
    assert "gone" in fairlead("pull", "gone")[2]


def test_an_exported_bento_brings_its_models(fairlead: Command, model: Path, tmp_path: Path) -> None:
    bento = exported_bento(tmp_path / "flowers.bento", model)

    code, said, _ = fairlead("push", bento)
    fairlead("pull", "bentos/flowers:b1", tmp_path / "copy")
    found = json.loads(fairlead("bentos", "flowers:b1", "-o", "json")[1])

    assert (code, said.splitlines()) == (0, ["fairlead://packed:m1", "fairlead://bentos/flowers:b1"])
    assert sorted(tree(tmp_path / "copy")) == ["README.md", "bento.yaml", "src/service.py"]
    assert found["manifest"]["models"] == ["packed:m1"]
    assert found["description"] == "# Flowers"


def exported_bento(path: Path, model: Path) -> Path:
    """What `bentoml export` writes."""
    work = path.parent / "work"
    packed = work / "models" / "packed" / "m1"
    (work / "src").mkdir(parents=True)
    packed.mkdir(parents=True)
    bento = {"name": "flowers", "version": "b1", "service": "service:Flowers", "models": [{"tag": "packed:m1"}]}
    (work / "bento.yaml").write_text(yaml.safe_dump({**bento, "bentoml_version": "1.4.39", "labels": {}}))
    (work / "README.md").write_text("# Flowers")
    (work / "src" / "service.py").write_text("")
    described = {
        "name": "packed",
        "version": "m1",
        "module": "bentoml.sklearn",
        "context": {"framework_name": "sklearn"},
    }
    (packed / "model.yaml").write_text(yaml.safe_dump(described))
    (packed / "saved_model.pkl").write_bytes((model / "model.joblib").read_bytes())
    with tarfile.open(path, "w:xz") as archive:
        archive.add(work, arcname=".")
    return path


def test_other_manifests_find_what_was_pushed(
    fairlead: Command, server: RegistryServer, model: Path, tmp_path: Path
) -> None:
    fairlead("push", model, "shared:v1")
    fairlead("tag", "shared:v1", "live")

    folder = Fetcher(tmp_path / "cache", defaults={URL: server.url, TOKEN: server.owner}).fetch(
        "fairlead://shared:live"
    )

    assert (folder / "model.joblib").read_bytes() == (model / "model.joblib").read_bytes()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("push", "nowhere"), "nowhere: no such file or folder"),
        (("push", ".", "Not A Name"), "is no name in a registry"),
        (("push", ".", "--label", "team"), "write key=value"),
        (("pull", "unknown:v1"), "the registry has no such model"),
        (("pull", "unknown"), "the registry has no complete version of it"),
        (("rm", "unknown:v1"), "record not found"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(fairlead: Command, words: tuple[str, ...], says: str) -> None:
    code, out, err = fairlead(*words)

    assert (code != 0, out) == (True, "")
    assert says in err
    assert len(err.splitlines()) == 1


def test_a_folder_of_no_known_format_asks_for_the_format(fairlead: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("of the model")

    assert "give --format" in fairlead("push", tmp_path, "odd:v1")[2]
    assert fairlead("push", tmp_path, "odd:v1", "--format", "sklearn")[0] == 0


def test_a_wrong_token_is_told(fairlead: Command, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "wrong")

    code, _, err = fairlead("push", model, "mine:v1")

    assert code == 1
    assert "token" in err


def test_where_nothing_answers_that_is_said(fairlead: Command, model: Path) -> None:
    code, _, err = fairlead("push", model, "mine:v1", "--registry", "http://127.0.0.1:9")

    assert (code, "http://127.0.0.1:9: Connection refused" in err) == (1, True)
