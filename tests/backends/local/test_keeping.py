from dataclasses import replace
from pathlib import Path

from fairlead.backends.local.home import Home
from fairlead.backends.local.keeping import forget, kept_of, sweep
from support.local_world import OWNER


def _keep(home: Home, uid: str, name: str = "iris") -> Path:
    folder = kept_of(replace(OWNER, name=name, uid=uid), home) / "main" / "router"
    folder.mkdir(parents=True)
    (folder / "counts.json").write_text("{}")
    return folder


def test_what_a_deployment_kept_goes_with_it_and_leaves_the_others(tmp_path: Path) -> None:
    home = Home(tmp_path)
    gone, other = _keep(home, "1"), _keep(home, "2", name="other")

    forget(replace(OWNER, name="iris", uid="1"), home)

    assert not gone.exists()
    assert other.exists()
    assert sorted(path.name for path in home.kept.glob("*/*")) == ["other"]


def test_a_later_deployment_of_the_same_name_starts_from_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    before, now = _keep(home, "1"), _keep(home, "2")

    sweep(home, [replace(OWNER, name="iris", uid="2")])

    assert not before.exists()
    assert now.exists()
