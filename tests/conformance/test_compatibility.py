"""What docs/compatibility.md says of us is what we do. `make compare-peers` asks the other servers too."""

from collections.abc import Iterator

import pytest

from support.conformance_models import Places
from support.own_column import DOCUMENT, fairlead, own_column
from support.peers import peer
from support.v2_cases import CASES, Case, Peers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def peers() -> Iterator[Peers]:
    with peer("triton", "triton_driver") as triton, peer("kserve", "kserve_driver") as client:
        yield {"triton": triton, "kserve": client}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with fairlead(tmp_path_factory.mktemp("own")) as found:
        yield found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_our_column_is_what_we_do(case: Case, places: Places, peers: Peers) -> None:
    assert case.outcome(places, peers) == own_column(DOCUMENT.read_text())[case.name]
