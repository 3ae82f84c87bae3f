import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.runtimes import seldon_shim
from fairlead.runtimes.seldon_shim.flask_utils import SeldonMicroserviceException
from fairlead.runtimes.seldon_shim.storage import Storage


@pytest.fixture
def installed() -> Iterator[None]:
    before = list(sys.meta_path)
    seldon_shim.install()
    yield
    sys.meta_path[:] = before
    for name in [name for name in sys.modules if name.partition(".")[0] == "seldon_core"]:
        del sys.modules[name]


@pytest.mark.usefixtures("installed")
def test_the_public_names_are_where_user_classes_import_them() -> None:
    namespace: dict[str, object] = {}

    exec(
        "import seldon_core\n"
        "from seldon_core import Storage\n"
        "from seldon_core.user_model import SeldonComponent, SeldonResponse, SeldonNotImplementedError\n"
        "from seldon_core.flask_utils import SeldonMicroserviceException\n"
        "from seldon_core.metrics import create_counter, create_gauge, create_timer\n"
        "from seldon_core.storage import Storage as Same, download\n"
        "same = seldon_core.Storage is Storage is Same\n",
        namespace,
    )

    assert namespace["same"] is True


@pytest.mark.usefixtures("installed")
def test_what_is_not_there_says_how_to_get_it() -> None:
    with pytest.raises(
        ImportError, match=r"seldon_core\.wrapper is not part of the built-in stand-in.*install"
    ) as failed:
        importlib.import_module("seldon_core.wrapper")
    assert "seldon_core.user_model" in str(failed.value)


@pytest.mark.usefixtures("installed")
def test_the_protobuf_messages_are_where_user_classes_import_them() -> None:
    namespace: dict[str, Any] = {}

    exec(
        "from seldon_core.proto import prediction_pb2\n"
        "import seldon_core.proto.prediction_pb2 as same\n"
        "message = prediction_pb2.SeldonMessage(strData='x')\n"
        "message.meta.metrics.add(key='k', type=prediction_pb2.Metric.GAUGE)\n"
        "is_same = same is prediction_pb2\n",
        namespace,
    )

    assert namespace["message"].strData == "x"
    assert namespace["is_same"]
    with pytest.raises(AttributeError, match="has no message 'Nope'"):
        _ = namespace["prediction_pb2"].Nope


def test_an_installed_package_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seldon_core").mkdir()
    (tmp_path / "seldon_core" / "__init__.py").write_text("real = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    seldon_shim.install()
    module = importlib.import_module("seldon_core")

    assert module.real
    assert not seldon_shim.is_installed()
    del sys.modules["seldon_core"]


@pytest.mark.usefixtures("installed")
def test_metrics_are_made_by_functions() -> None:
    metrics = importlib.import_module("seldon_core.metrics")

    assert metrics.create_counter("c", 1) == {"key": "c", "type": "COUNTER", "value": 1}
    assert metrics.create_gauge("g", 2.5, {"a": "b"}) == {
        "key": "g",
        "type": "GAUGE",
        "value": 2.5,
        "tags": {"a": "b"},
    }
    assert metrics.create_timer("t", 3)["type"] == "TIMER"
    with pytest.raises(ValueError):
        metrics.create_gauge("g", "much")


def test_a_local_path_is_downloaded_by_being_there(tmp_path: Path) -> None:
    assert Storage.download(str(tmp_path)) == str(tmp_path)
    assert Storage.download(f"file://{tmp_path}") == str(tmp_path)


def test_other_storage_is_refused_in_the_known_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as refused:
        Storage.download("s3://bucket/model")
    assert str(refused.value) == (
        "Cannot recognize storage type for s3://bucket/model. Only file:// is currently available as storage type."
    )

    with pytest.raises(RuntimeError, match=r"^Local path file:///no/such/path does not exist\.$"):
        Storage.download("file:///no/such/path")


def test_an_exception_knows_its_body() -> None:
    error = SeldonMicroserviceException("no", status_code=403, reason="DENIED")

    assert error.status_code == 403
    assert error.to_dict() == {"status": {"status": 1, "info": "no", "code": -1, "reason": "DENIED"}}
