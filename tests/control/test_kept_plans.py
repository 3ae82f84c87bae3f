"""Plans on disk: what is written is read again, whatever the plan holds."""

import logging
from pathlib import Path

import pytest

from fairlead.control.kept_plans import KeptPlans
from fairlead.dialects.base import Dialect
from fairlead.dialects.document import load
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import FairleadError
from fairlead.plan.model import Plan
from support import golden

KEY = ("InferenceService", "default", "iris")
FOLDERS: list[tuple[Path, Dialect, bool]] = [
    *((folder, SeldonDialect(), False) for folder in golden.folders("seldon")),
    *((folder, KServeDialect(), True) for folder in golden.folders("kserve/manifests")),
    *((folder, KServeDialect(), False) for folder in golden.folders("kserve/graphs")),
]


def plan_of(folder: Path, dialect: Dialect, is_stored: bool) -> Plan | None:
    """The plan of a golden folder; `None` for one of a refusal."""
    (loaded,) = load((folder / "manifest.yaml").read_text(), "manifest.yaml")[:1]
    try:
        return golden.planned(folder, dialect, loaded.doc, is_stored=is_stored)
    except FairleadError:
        return None


PLANS = [plan for one in FOLDERS if (plan := plan_of(*one)) is not None]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.owner.kind}-{plan.owner.name}")
def test_every_plan_is_read_as_it_was_written(plan: Plan, tmp_path: Path) -> None:
    kept = KeptPlans(tmp_path)

    kept.keep(KEY, plan)

    assert kept.find(KEY, uid=plan.owner.uid) == plan
    assert kept.find(KEY, uid="another") is None


def test_what_cannot_be_read_is_no_plan_and_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = KeptPlans(tmp_path)
    (tmp_path / "InferenceService" / "default").mkdir(parents=True)
    (tmp_path / "InferenceService" / "default" / "iris.json").write_text("{")

    with caplog.at_level(logging.WARNING):
        assert kept.find(KEY, uid="1") is None

    assert "the kept plan of InferenceService default/iris cannot be read" in caplog.text


def test_a_disk_that_takes_nothing_is_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "plans").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        KeptPlans(tmp_path / "plans").keep(KEY, PLANS[0])

    assert "is not kept" in caplog.text
