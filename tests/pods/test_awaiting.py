"""A server beside a sidecar that brings its model."""

from pathlib import Path

import pytest

from fairlead.errors import ConfigError
from fairlead.pods.awaiting import await_model


def test_nobody_waits_for_a_model_that_was_there_before_the_server(tmp_path: Path) -> None:
    await_model(tmp_path / "missing", {}, sleep=_never)


def test_a_server_waits_until_the_sidecar_has_shown_its_model(tmp_path: Path) -> None:
    models, waits = tmp_path / "models", []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            (tmp_path / "image").mkdir()
            (tmp_path / "image" / "model.joblib").touch()
            models.symlink_to(tmp_path / "image")

    await_model(models, {"MODEL_INIT_MODE": "async"}, sleep=sleep)

    assert len(waits) == 3


def test_a_model_that_never_comes_ends_the_wait(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no model has come in 1 s; see the container modelcar"):
        await_model(tmp_path / "models", {"MODEL_INIT_MODE": "async"}, timeout_s=1, sleep=lambda _: None)


def _never(seconds: float) -> None:
    raise AssertionError(f"waited {seconds} s")
