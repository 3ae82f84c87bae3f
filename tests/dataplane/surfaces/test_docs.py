"""The API page: its files, and a description whose paths and example work where it is read."""

import json
from typing import Any

import pytest

from fairlead.dataplane.surfaces import docs
from fairlead.plan.model import Branch, Chain, Method, Node, UnitName
from fairlead.protocols.exchange import Request
from fairlead.runtimes.base import Columns
from support.serving import Fake, Times, call, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio


def surface(info: dict[str, Any] | None = None) -> Any:
    return served(worker_spec([unit("m")], call("m")), m=Fake("m", rows=Times(), info=info))


@pytest.mark.parametrize(
    ("name", "kind", "holds"),
    [
        ("", "text/html; charset=utf-8", b"swagger-ui-bundle.js"),
        ("index.html", "text/html; charset=utf-8", b"start.js"),
        ("start.js", "text/javascript; charset=utf-8", b"seldon.json"),
        ("swagger-ui.css", "text/css; charset=utf-8", b".swagger-ui"),
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8", b"SwaggerUIBundle"),
    ],
)
async def test_the_page_is_served_from_the_package(name: str, kind: str, holds: bytes) -> None:
    response = await surface().get(f"/api/v1.0/doc/{name}")

    assert (response.status, header(response, "Content-Type")) == (200, kind)
    assert holds in response.body


async def test_the_page_is_found_without_its_last_slash() -> None:
    response = await surface().get("/api/v1.0/doc", (b"x-forwarded-prefix", b"/seldon/ns/dep"))

    assert (response.status, header(response, "Location")) == (301, "/seldon/ns/dep/api/v1.0/doc/")


@pytest.mark.parametrize("name", ["nope.js", "../worker.py", "%2e%2e/worker.py"])
async def test_other_files_are_not_served(name: str) -> None:
    assert (await surface().get(f"/api/v1.0/doc/{name}")).status == 404


@pytest.mark.parametrize(
    ("headers", "prefix"),
    [([], ""), ([(b"x-forwarded-prefix", b"/seldon/ns/dep")], "/seldon/ns/dep"), ([(b"x-forwarded-prefix", b"/")], "")],
)
async def test_the_description_has_the_paths_of_the_address_it_is_read_at(headers: Any, prefix: str) -> None:
    response = await surface().get("/api/v1.0/doc/seldon.json", *headers)

    description = json.loads(response.body)
    assert description["openapi"].startswith("3.")
    assert {f"{prefix}/api/v1.0/predictions", f"{prefix}/api/v1.0/feedback"} < description["paths"].keys()
    assert all(path.startswith(f"{prefix}/") for path in description["paths"])


async def test_its_examples_are_accepted() -> None:
    it = surface({"inputs": [{"messagetype": "tensor", "schema": {"names": ["a", "b"], "shape": [2]}}]})
    description = json.loads((await it.get("/api/v1.0/doc/seldon.json")).body)

    posts = [(path, verbs["post"]) for path, verbs in description["paths"].items() if "post" in verbs]
    assert len(posts) == 2
    for path, post in posts:
        example = post["requestBody"]["content"]["application/json"]["example"]
        assert (await it.post(path, example)).status == 200


SEVEN = Columns(count=7)
FOUR = {"ndarray": [[1.0, 2.0, 3.0, 4.0]]}


@pytest.mark.parametrize(
    ("inputs", "columns", "data"),
    [
        (None, None, FOUR),
        ([], None, FOUR),
        ([{"name": "x", "datatype": "FP32", "shape": [-1, 3]}], None, {"ndarray": [[1.0, 2.0, 3.0]]}),
        ([{"schema": {"names": ["a", "b"]}}], None, {"names": ["a", "b"], "ndarray": [[1.0, 2.0]]}),
        ([{"schema": {"shape": [3, 32, 32]}}], None, FOUR),
        ([{"schema": {"shape": [20_000]}}], None, FOUR),
        (["strange"], None, FOUR),
        ([], SEVEN, {"ndarray": [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]}),
        ([{"schema": {"names": ["a", "b"]}}], SEVEN, {"names": ["a", "b"], "ndarray": [[1.0, 2.0]]}),
        ([], Columns(count=2, names=("a", "b"), whole=True), {"names": ["a", "b"], "ndarray": [[1, 2]]}),
    ],
)
def test_an_example_is_as_wide_as_the_metadata_or_else_the_model_says(inputs: Any, columns: Any, data: Any) -> None:
    example = docs.example_request(inputs, columns)

    assert json.dumps(example) == json.dumps({"data": data})


@pytest.mark.parametrize("width", [2, 7])
async def test_try_it_out_fits_the_first_model_behind_a_router(width: int) -> None:
    def strict(X: Any) -> Any:
        assert X.shape == (1, width)
        return X

    parts = {
        "t": Fake("t"),
        "r": Fake("r", route=lambda _: [[0]]),
        "m": Fake("m", predict=strict, columns=Columns(count=width)),
    }
    steps = Chain(
        steps=(
            call("t", Method.TRANSFORM_INPUT),
            Branch(name=UnitName("r"), route=UnitName("r"), choices=(call("m"),)),
        )
    )
    drawing = Node(
        unit=UnitName("t"),
        kind="transformer",
        children=(Node(unit=UnitName("r"), kind="router", children=(Node(unit=UnitName("m"), kind="model"),)),),
    )
    it = served(worker_spec([unit("t"), unit("r"), unit("m")], steps, drawing=drawing), **parts)

    assert (await it.post("/api/v1.0/predictions", example_of(await described(it)))).status == 200


async def described(it: Any, path: str = "/api/v1.0/doc/seldon.json") -> Any:
    return json.loads((await it.get(path)).body)


def example_of(description: Any) -> Any:
    predict = description["paths"]["/api/v1.0/predictions"]
    return predict["post"]["requestBody"]["content"]["application/json"]["example"]


@pytest.mark.parametrize("told", [b'/a"><script>', b"/a b", b"/\xff"])
def test_a_prefix_that_is_no_plain_path_is_ignored(told: bytes) -> None:
    assert docs.prefix_of(Request("GET", "/", b"", [(b"x-forwarded-prefix", told)], b"")) == ""


async def test_a_bare_unit_describes_itself() -> None:
    bare = served(worker_spec([unit("m")], call("m"), single_unit=True), m=Fake("m", rows=Times()))

    description = json.loads((await bare.get("/seldon.json")).body)

    assert "/api/v1.0/predictions" in description["paths"]


async def test_a_bare_unit_shows_an_example_as_wide_as_its_model() -> None:
    bare = served(worker_spec([unit("m")], call("m"), single_unit=True), m=Fake("m", columns=SEVEN))

    assert example_of(await described(bare, "/seldon.json")) == docs.example_request([], SEVEN)
