"""The table of docs/compatibility.md: how it is written and read, and the Fairlead whose column it has."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from fairlead.dataplane.spec import Placement
from fairlead.plan.model import Protocol, Unit, UnitName
from support.conformance_models import Place, Places, mirror
from support.models import train_iris_sklearn
from support.workers import running_worker

DOCUMENT = Path(__file__).parents[2] / "docs" / "compatibility.md"
SERVERS = ("MLServer 1.7.1", "KServe SDK 0.21.0", "Fairlead")
_START, _END = "<!-- table -->", "<!-- end of table -->"


@contextlib.contextmanager
def fairlead(folder: Path) -> Iterator[Places]:
    """Workers with the models of the comparison."""
    iris = Unit(name=UnitName("iris"), runtime="sklearn")
    placed = Placement(unit="iris", folder=str(train_iris_sklearn(folder / "iris")))
    with (
        running_worker(mirror(folder), protocol=Protocol.V2, service="mirror") as first,
        running_worker(iris, placement=placed, protocol=Protocol.V2, service="iris") as second,
    ):
        addresses = {"mirror": f"127.0.0.1:{first.port}", "iris": f"127.0.0.1:{second.port}"}
        yield {name: Place(address, address) for name, address in addresses.items()}


def written(document: str, rows: Sequence[Sequence[str]]) -> str:
    """The document with these rows in its table."""
    lines = [_row(("case", *SERVERS)), "|---" * (len(SERVERS) + 1) + "|", *map(_row, rows)]
    before, _, rest = document.partition(_START)
    _, _, after = rest.partition(_END)
    return "\n".join([before + _START, *lines, _END + after])


def own_column(document: str) -> dict[str, str]:
    """What the table says of us, by case."""
    table = document.partition(_START)[2].partition(_END)[0]
    rows = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    return {row[0]: row[-1] for row in rows}


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
