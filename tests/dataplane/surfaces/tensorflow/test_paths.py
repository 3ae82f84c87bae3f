"""TensorFlow Serving's paths and Seldon's forms of them."""

import pytest

from fairlead.dataplane.surfaces.tensorflow.paths import Target, asked, looked_at


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v1/models/m:predict", Target("m", "", "", "predict")),
        ("/v1/models/m/versions/3:classify", Target("m", "3", "", "classify")),
        ("/v1/models/m/labels/stable:regress", Target("m", "", "stable", "regress")),
        ("/v1/models/m/:predict", Target("m", "", "", "predict")),
        ("/v1/models:predict", Target("", "", "", "predict")),
        ("/v1/models/:predict", Target("", "", "", "predict")),
        ("/v1/models/a%20b:predict", Target("a b", "", "", "predict")),
        ("/v1/models/m:train", None),
        ("/v1/models/m", None),
        ("/v1/models/m/n:predict", None),
        ("/v1/models/m:predict/", None),
    ],
)
def test_what_a_post_asks(path: str, target: Target | None) -> None:
    assert asked(path) == target


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v1/models/m", Target("m", "", "", "")),
        ("/v1/models/m/versions/3", Target("m", "3", "", "")),
        ("/v1/models/m/metadata", Target("m", "", "", "metadata")),
        ("/v1/models/m/labels/l/metadata", Target("m", "", "l", "metadata")),
        ("/v1/models", None),
        ("/v1/models/m:predict", None),
    ],
)
def test_what_a_get_looks_at(path: str, target: Target | None) -> None:
    assert looked_at(path) == target
