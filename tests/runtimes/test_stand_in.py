import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.runtimes import stand_in
from support.user_files import forgotten


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    with forgotten():
        stand_in.install()
        yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("kserve", "mlserver")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "lines",
    [
        "from kserve import Model, ModelServer, InferInput, InferOutput, InferRequest, InferResponse",
        "from kserve import ModelRepository, PredictorProtocol, constants, logger, logging, model_server",
        "from kserve.errors import InvalidInput, InferenceError, ModelNotFound, ModelNotReady",
        "from kserve.model import PredictorConfig, InferenceVerb",
        "from kserve.protocol.infer_type import InferRequest, RequestedOutput, serialize_byte_tensor",
        "from kserve.utils.utils import get_predict_input, get_predict_response, generate_uuid",
        "from kserve.utils.numpy_codec import to_np_dtype, from_np_dtype",
        "from kserve.constants.constants import PredictorProtocol",
        "from kserve.storage import Storage\nfrom kserve_storage import Storage as Same\nassert Storage is Same",
        "from mlserver import MLModel, ModelSettings, types, codecs",
        "from mlserver.settings import ModelParameters",
        "from mlserver.types import InferenceRequest, InferenceResponse, RequestInput, ResponseOutput, Parameters",
        "from mlserver.codecs import NumpyCodec, NumpyRequestCodec, StringCodec, PandasCodec, decode_args",
        "from mlserver.errors import InferenceError, MLServerError\nfrom mlserver.utils import get_model_uri",
        "import triton_python_backend_utils as pb_utils\npb_utils.Tensor, pb_utils.TritonError",
    ],
)
def test_the_public_names_are_where_files_import_them(lines: str) -> None:
    exec(lines, {})


def test_a_class_is_the_same_under_both_names() -> None:
    errors = importlib.import_module("kserve.errors")
    ours = importlib.import_module("fairlead.runtimes.kserve_shim.errors")

    assert errors.InvalidInput is ours.InvalidInput
    assert errors.__spec__ is not None
    assert errors.__spec__.name == "fairlead.runtimes.kserve_shim.errors"
    assert stand_in.is_stand_in("kserve")


def test_what_is_not_there_says_how_to_get_it() -> None:
    with pytest.raises(ImportError, match=r"kserve\.api is not part of the built-in stand-in for kserve; install"):
        importlib.import_module("kserve.api")


def test_an_installed_package_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kserve").mkdir()
    (tmp_path / "kserve" / "__init__.py").write_text("real = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert importlib.import_module("kserve").real
    assert not stand_in.is_stand_in("kserve")
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'kserve\.errors'"):
        importlib.import_module("kserve.errors")


def test_installing_twice_changes_nothing() -> None:
    before = list(sys.meta_path)

    stand_in.install()

    assert sys.meta_path == before
