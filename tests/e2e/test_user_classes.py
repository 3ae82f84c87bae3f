"""Users' classes in every role of a graph, mapped from images by `config.toml`, in one worker."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.instance import Installation, call, installation
from support.manifests import images, sdep

pytestmark = pytest.mark.slow

CODE = """
import numpy as np
from seldon_core.user_model import SeldonComponent


class Scaler(SeldonComponent):
    def __init__(self, factor=1.0, offset=0, label="none", loud=False):
        self.factor, self.offset, self.label, self.loud = factor, offset, label, loud

    def transform_input(self, X, names, meta=None):
        return X * self.factor + self.offset

    def tags(self):
        return {"label": self.label, "loud": self.loud}


class Learner:
    def __init__(self):
        self.branch = 0

    def route(self, X, names):
        return self.branch

    def send_feedback(self, X, names, reward, truth, routing=None):
        self.branch = int(reward)


class Adder:
    def __init__(self, amount=0):
        self.amount = amount

    def predict(self, X, names):
        return X + self.amount

    def metrics(self):
        return [{"type": "COUNTER", "key": "additions", "value": 1}]


class Mean:
    def aggregate(self, Xs, names):
        return np.mean(Xs, axis=0)


class Negate:
    def transform_output(self, X, names):
        return -X

    def class_names(self):
        return ["minus"]
"""
PARAMETERS = [
    {"name": "factor", "value": "2.0", "type": "FLOAT"},
    {"name": "offset", "value": "1", "type": "INT"},
    {"name": "label", "value": "scaled", "type": "STRING"},
    {"name": "loud", "value": "true", "type": "BOOL"},
]


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("classes")
    (folder / "units.py").write_text(CODE)
    config = "".join(
        f'[images."acme/{name.lower()}"]\nclass = "units.{name}"\npath = {json.dumps(str(folder))}\n'
        for name in ("Scaler", "Learner", "Adder", "Mean", "Negate")
    )
    with installation(folder / "home", config=config) as running:
        yield running


def whole_graph() -> dict[str, Any]:
    """Output transformer over input transformer over router over two models and a combiner of two."""

    def model(name: str, amount: int) -> dict[str, Any]:
        parameter = {"name": "amount", "value": str(amount), "type": "INT"}
        return {"name": name, "type": "MODEL", "parameters": [parameter]}

    mean = {"name": "mean", "type": "COMBINER", "children": [model("ten", 10), model("thirty", 30)]}
    router = {"name": "learner", "type": "ROUTER", "children": [model("one", 1), mean]}
    scaler = {"name": "scaler", "type": "TRANSFORMER", "parameters": PARAMETERS, "children": [router]}
    graph = {"name": "negate", "type": "OUTPUT_TRANSFORMER", "children": [scaler]}
    units = {
        "negate": "acme/negate:1", "scaler": "acme/scaler:1", "learner": "acme/learner:1", "one": "acme/adder:1",
        "mean": "acme/mean:1", "ten": "acme/adder:1", "thirty": "acme/adder:1",
    }  # fmt: skip
    return images("main", graph, units)


def test_every_role_in_one_graph_and_a_router_that_learns_from_feedback(classes: Installation) -> None:
    classes.apply(sdep("roles", whole_graph()))
    classes.wait_for("roles")

    first = classes.predict("roles", {"data": {"names": ["x"], "ndarray": [[3.0]]}}).json()
    reward = {"request": {"data": {"ndarray": [[3.0]]}}, "response": {"meta": first["meta"]}, "reward": 1.0}
    assert classes.predict("roles", reward, path="feedback").status == 200
    second = classes.predict("roles", {"data": {"names": ["x"], "ndarray": [[3.0]]}}).json()

    assert first["data"] == {"names": ["minus"], "ndarray": [[-8.0]]}  # -(3 * 2 + 1 + 1)
    assert first["meta"]["routing"]["learner"] == 0
    assert first["meta"]["tags"] == {"label": "scaled", "loud": True}
    assert second["data"]["ndarray"] == [[-27.0]]  # -(7 + mean(10, 30))
    assert second["meta"]["routing"] == {
        "negate": -1, "scaler": -1, "learner": 1, "mean": -1, "ten": -1, "thirty": -1
    }  # fmt: skip
    assert set(second["meta"]["requestPath"]) == {"negate", "scaler", "learner", "mean", "ten", "thirty"} - _silent()
    assert [metric["key"] for metric in second["meta"]["metrics"]] == ["additions", "additions"]


def _silent() -> set[str]:
    """Routers answer a branch, not a message, so they leave no path."""
    return {"learner"}


def test_custom_metrics_are_exposed_with_the_labels_of_the_unit(classes: Installation) -> None:
    classes.apply(sdep("counted", images("main", {"name": "adder"}, {"adder": "acme/adder:1"})))
    classes.wait_for("counted")
    classes.predict("counted", {"data": {"ndarray": [[1.0]]}})

    text = call(f"{classes.url}/seldon/default/counted/prometheus").body.decode()
    line = next(line for line in text.splitlines() if line.startswith("additions_total{"))
    assert 'model_name="adder"' in line
    assert line.endswith(" 1.0")


@pytest.mark.parametrize(("value", "kind"), [("many", "INT"), ("1.5x", "FLOAT"), ("perhaps", "BOOL"), ("1", "LONG")])
def test_a_bad_parameter_is_refused_or_fails_with_its_name(classes: Installation, value: str, kind: str) -> None:
    parameter = {"name": "amount", "value": value, "type": kind}
    predictor = images("main", {"name": "adder", "parameters": [parameter]}, {"adder": "acme/adder:1"})
    done = classes.run("apply", "-f", "-", stdin=json.dumps(sdep(f"bad-{kind.lower()}", predictor)), check=False)

    if done.returncode == 0:
        classes.wait_for(f"bad-{kind.lower()}", "Failed")
        told = classes.status(f"bad-{kind.lower()}")["description"]
    else:
        told = done.stderr

    assert "amount" in told or kind in told
