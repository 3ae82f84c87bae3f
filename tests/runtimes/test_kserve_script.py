from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.errors import LoadError, NotFound, NotReady
from fairlead.plan.model import Method, Protocol
from fairlead.protocols.message import Asked
from fairlead.runtimes.base import ModelState
from support.units import unit
from support.user_files import forgotten, load, v1, write


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    with forgotten():
        yield


PROGRAM = """
import argparse
from kserve import Model, ModelServer, logging, model_server

class Scaling(Model):
    def __init__(self, name, factor):
        super().__init__(name)
        self.factor = factor
    def load(self):
        self.ready = True
    def predict(self, payload, headers=None):
        return {"predictions": [[n * self.factor for n in row] for row in payload["instances"]]}

parser = argparse.ArgumentParser(parents=[model_server.parser])
parser.add_argument("--factor", type=int, default=2)
args, _ = parser.parse_known_args()

if __name__ == "__main__":
    if args.configure_logging:
        logging.configure_logging(args.log_config_file)
    model = Scaling(args.model_name, args.factor)
    model.load()
    ModelServer().start([model])
"""

SEVERAL = PROGRAM.replace("start([model])", "start([model, Scaling('ten', 10)])")


def test_a_file_that_starts_a_server_is_run_as_the_program_it_is(tmp_path: Path) -> None:
    servable = load(unit(code=write(tmp_path, "serve", PROGRAM), factor=3), protocol=Protocol.V1)

    assert servable.invoke(Method.PREDICT, v1({"instances": [[1]]})).raw == {"predictions": [[3]]}
    assert servable.repository is None


def test_several_models_are_asked_by_name_loaded_and_unloaded(tmp_path: Path) -> None:
    servable = load(unit(code=write(tmp_path, "serve", SEVERAL)), protocol=Protocol.V1)
    ten = v1({"instances": [[1]]})
    ten.asked = Asked(model="ten")
    held = servable.repository
    assert held is not None

    assert [(one.name, one.state) for one in held.models()] == [
        ("classifier", ModelState.READY),
        ("ten", ModelState.READY),
    ]
    assert servable.invoke(Method.PREDICT, v1({"instances": [[1]]})).raw == {"predictions": [[2]]}
    assert servable.invoke(Method.PREDICT, ten).raw == {"predictions": [[10]]}

    held.unload("ten")
    assert held.models()[1].state is ModelState.UNAVAILABLE
    with pytest.raises(NotReady, match="ten is not ready"):
        servable.invoke(Method.PREDICT, ten)

    held.load("ten")
    assert servable.invoke(Method.PREDICT, ten).raw == {"predictions": [[10]]}
    with pytest.raises(NotFound, match="Model with name eleven does not exist"):
        held.load("eleven")
    servable.close()


def test_a_program_that_fails_names_its_line(tmp_path: Path) -> None:
    source = PROGRAM.replace("    model.load()\n", "    raise OSError('gone')\n")

    with pytest.raises(LoadError, match=r"serve\.py failed: OSError: gone \(.*serve\.py:22\)"):
        load(unit(code=write(tmp_path, "serve", source)))


def test_a_program_that_ends_badly_or_starts_nothing_is_refused(tmp_path: Path) -> None:
    ended = PROGRAM.replace("ModelServer().start([model])", "raise SystemExit(3)")
    nothing = PROGRAM.replace("    ModelServer().start([model])", "    pass")

    with pytest.raises(LoadError, match=r"ended\.py ended with status 3"):
        load(unit(code=write(tmp_path, "ended", ended)))
    with pytest.raises(LoadError, match=r"nothing\.py started no ModelServer"):
        load(unit(code=write(tmp_path, "nothing", nothing)))
