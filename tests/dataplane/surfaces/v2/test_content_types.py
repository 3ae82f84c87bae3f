"""What a Seldon component gets of tensors whose content type says what they mean."""

from typing import Any

import numpy as np
import pytest

from fairlead.plan.model import Protocol
from fairlead.protocols.exchange import Response
from fairlead.runtimes.component import Component
from support.serving import call, served, unit, worker_spec

pytestmark = pytest.mark.anyio


class Keeper:
    """Remembers what it was given."""

    def predict(self, value: Any, names: Any) -> Any:
        self.value, self.names = value, names
        return np.zeros(1)


async def given(*inputs: dict[str, Any], **members: Any) -> tuple[Keeper, Response]:
    keeper = Keeper()
    it = served(worker_spec([unit("m")], call("m"), protocol=Protocol.V2), m=Component(keeper, unit("m"), env={}))
    return keeper, await it.post("/v2/models/m/infer", {"inputs": list(inputs)} | members)


def column(name: str, datatype: str, data: list[Any], **parameters: Any) -> dict[str, Any]:
    return {"name": name, "shape": [len(data), 1], "datatype": datatype, "data": data, "parameters": parameters}


PD = {"content_type": "pd"}


async def test_the_columns_of_a_frame_are_one_table_with_names() -> None:
    keeper, _ = await given(column("a", "INT64", [1, 2]), column("b", "BYTES", ["x", "y"]), parameters=PD)

    assert keeper.value.tolist() == [[1, "x"], [2, "y"]]
    assert keeper.names == ["a", "b"]


async def test_a_frame_of_one_column_keeps_its_name() -> None:
    keeper, _ = await given(column("a", "INT64", [1, 2]) | {"shape": [2]}, parameters=PD)
    bare, _ = await given(column("a", "INT64", [1, 2]) | {"shape": [2]})

    assert (keeper.value.tolist(), keeper.names) == ([[1], [2]], ["a"])
    assert (bare.value.tolist(), bare.names) == ([1, 2], [])


async def test_cells_of_json_are_values() -> None:
    cells = column("a", "BYTES", ['{"k":1}', "[2]"], content_type="pd_json")

    keeper, _ = await given(cells, column("b", "FP64", [0.5, 1.5]), parameters=PD)

    assert keeper.value.tolist() == [[{"k": 1}, 0.5], [[2], 1.5]]


async def test_cells_of_lists_are_not_spread() -> None:
    keeper, _ = await given(column("a", "BYTES", ["[1,2]", "[3,4]"], content_type="pd_json"))

    assert keeper.value.tolist() == [[[1, 2]], [[3, 4]]]


async def test_cells_that_are_no_json_are_refused() -> None:
    _, response = await given(column("a", "BYTES", ["{"], content_type="pd_json"))

    assert response.status == 400
    assert b"tensor 'a': its content_type is pd_json and its data is not" in response.body


async def test_text_is_text_and_base64_the_bytes_it_stands_for() -> None:
    text, _ = await given(column("a", "BYTES", ["hé"], content_type="str"))
    raw, _ = await given(column("a", "BYTES", ["/w=="], content_type="base64"))

    assert text.value.tolist() == [["hé"]]
    assert raw.value.tolist() == [[b"\xff"]]
