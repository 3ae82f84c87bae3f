"""Images that deceive: KServe's ART explainer against a classifier that looks at one corner."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.errors import BadRequest, ConfigError
from fairlead.plan.model import Method, Protocol
from fairlead.protocols.kserve_v1 import V1_JSON
from fairlead.protocols.wire import Body
from fairlead.runtimes import registry
from fairlead.runtimes.base import LoadContext, Servable
from support.formats import needed
from support.predictors import predicting
from support.units import unit
from support.user_files import v1

needed("art", "make setup")
pytestmark = pytest.mark.slow


def opened(address: str, **arguments: Any) -> Servable:
    of = unit("art", name="digits", predictor_host=address, **arguments)
    return registry.load(LoadContext(unit=of, folder=None, protocol=Protocol.V1))


def scores(images: Any) -> Any:
    bright = np.asarray(images)[:, :4, :4].mean(axis=(1, 2, 3))
    return np.stack([1 - bright, bright], axis=1)


def test_an_image_is_found_that_is_taken_for_something_else() -> None:
    image = np.full((1, 12, 12, 1), 0.45).tolist()
    with predicting(scores) as address:
        servable = opened(address, nb_classes="2", max_iter="200", adversary_type="SquareAttack")
        body = json.dumps({"instances": [image, [[1, 0]]]}).encode()
        answer = servable.invoke(Method.EXPLAIN, V1_JSON.read_request(Body(body))).payload.value["explanations"]
        servable.close()

    assert (answer["prediction"], answer["adversarial_prediction"]) == (0, 1)
    assert answer["L2 error"] > 0
    assert np.shape(answer["adversarial_example"]) == (1, 12, 12, 1)


def test_a_model_that_takes_rows_gets_its_images_as_rows() -> None:
    image = np.full((1, 144), 0.45).tolist()
    with predicting(lambda rows: scores(np.asarray(rows).reshape(-1, 12, 12, 1))) as address:
        servable = opened(address, nb_classes="2", max_iter="200")
        body = json.dumps({"instances": [image, [[1, 0]]]}).encode()
        answer = servable.invoke(Method.EXPLAIN, V1_JSON.read_request(Body(body))).payload.value
        servable.close()

    assert answer["explanations"]["adversarial_prediction"] == 1
    assert np.shape(answer["explanations"]["adversarial_example"]) == (1, 144)


def test_a_request_that_is_no_image_and_label_is_refused() -> None:
    servable = opened("127.0.0.1:1")
    with pytest.raises(BadRequest, match="expected instances to be an image and its label, one hot"):
        servable.invoke(Method.EXPLAIN, v1({"instances": [[1]]}))
    servable.close()


def test_an_attack_that_is_not_known_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="adversary_type must be one of SquareAttack, got 'Guess'"):
        opened("x:1", adversary_type="Guess")
