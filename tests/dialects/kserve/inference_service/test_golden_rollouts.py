"""Every folder of tests/golden/kserve/rollouts: a service in some state of a roll-out, and what follows.

`manifest.yaml` is the document as it is stored, its status included; `revisions.yaml` are the records beside it;
`observed.yaml` says of components that are not ready how they are. `plan.txt` and `status.yaml` are what comes of it.
`pytest tests/dialects/kserve/inference_service/test_golden_rollouts.py --update-golden` writes what the code gives now;
read the difference before committing it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.plan.model import Plan
from fairlead.plan.status import Phase
from support.golden import ROOT
from support.rollouts import Installation, Life

FOLDERS = sorted(path.parent for path in (ROOT / "kserve" / "rollouts").glob("*/manifest.yaml"))


def life_of(folder: Path) -> Life:
    records = folder / "revisions.yaml"
    stored = list(yaml.safe_load_all(records.read_text())) if records.exists() else []
    observed = folder / "observed.yaml"
    fates: dict[str, Any] = yaml.safe_load(observed.read_text()) if observed.exists() else {}
    asleep = {name for name, phase in fates.items() if phase == "Asleep"}
    return Life(
        doc=yaml.safe_load((folder / "manifest.yaml").read_text()),
        world=Installation(*stored),
        fate={name: Phase(phase) for name, phase in fates.items() if name not in asleep},
        sleeping=asleep,
        now="2026-06-01T00:00:00Z",
    )


def lines(plan: Plan) -> Iterator[str]:
    """A plan's components and ways to them, as a person compares them."""
    for one in plan.components:
        scale = one.scale
        reach = "" if scale.is_reachable else ", not reachable"
        uris = ", ".join(unit.artifact.uri for unit in one.revision.units if unit.artifact)
        count = f"{scale.min_replicas} to {scale.max_replicas or 'any'} replicas, {scale.initial_replicas} at first"
        yield f"{one.name} ({one.full_name}): {uris}; {count}{reach}"
    for route in plan.routes:
        to = ", ".join(f"{target.component} {target.weight}" for target in route.targets)
        place = route.host if route.host else route.path_prefix
        yield f"{place}{' internal' if route.is_internal else ''} -> {to}"
    yield from (f"warning: {sentence}" for sentence in plan.warnings)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_state_of_a_roll_out_leads_to_what_its_folder_says(folder: Path, pytestconfig: pytest.Config) -> None:
    life = life_of(folder)
    plan = "".join(f"{line}\n" for line in lines(life.look()))
    status = yaml.safe_dump(dict(life.report()), sort_keys=False)

    if pytestconfig.getoption("--update-golden"):
        (folder / "plan.txt").write_text(plan)
        (folder / "status.yaml").write_text(status)

    assert plan == (folder / "plan.txt").read_text()
    assert status == (folder / "status.yaml").read_text()
