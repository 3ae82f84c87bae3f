import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fairlead.errors import LoadError
from fairlead.plan.model import Artifact, Method, Unit, UserCode
from fairlead.runtimes import registry
from fairlead.runtimes.component import Component
from support.units import asking, context, unit
from support.user_files import forgotten


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """What a test's module leaves behind in this process."""
    with forgotten():
        yield


def write(folder: Path, name: str, source: str) -> UserCode:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    return UserCode(target=name, path=str(folder))


def load(of: Unit, folder: Path | None = None, **env: str) -> Component:
    servable = registry.load(context(of, folder, env=env))
    assert isinstance(servable, Component)
    return servable


def answer(servable: Component, value: object = ((1.0, 2.0),)) -> object:
    return servable.invoke(Method.PREDICT, asking(value)).payload.value.tolist()


ADDING = """
class Adding:
    def __init__(self, amount=1):
        self.amount = amount
    def predict(self, X, names):
        return X + self.amount
"""


def test_a_module_with_a_class_of_its_name_is_enough(tmp_path: Path) -> None:
    servable = load(unit(code=write(tmp_path, "Adding", ADDING), amount=2))

    assert answer(servable) == [[3.0, 4.0]]


def test_a_class_inside_a_package_is_named_by_its_last_dot(tmp_path: Path) -> None:
    write(tmp_path / "pkg", "inner", ADDING)
    code = UserCode(target="pkg.inner.Adding", path=str(tmp_path))

    assert answer(load(unit(code=code))) == [[2.0, 3.0]]


def test_two_units_may_have_modules_of_one_name(tmp_path: Path) -> None:
    first = load(unit(code=write(tmp_path / "a", "Adding", ADDING)))
    second = load(unit(code=write(tmp_path / "b", "Adding", ADDING.replace("X +", "X -"))))

    assert (answer(first), answer(second)) == ([[2.0, 3.0]], [[0.0, 1.0]])


def test_a_folder_alone_runs_the_class_it_is_meant_for(tmp_path: Path) -> None:
    code = UserCode(target="", path=write(tmp_path, "Adding", ADDING).path)

    assert answer(load(unit(code=code))) == [[2.0, 3.0]]


def test_load_is_called_once(tmp_path: Path) -> None:
    source = """
class Loading:
    calls = 0
    def load(self):
        self.calls += 1
    def predict(self, X, names):
        return [[self.calls]]
"""
    servable = load(unit(code=write(tmp_path, "Loading", source)))

    assert (answer(servable), answer(servable)) == ([[1]], [[1]])


@pytest.mark.parametrize("error", ["NotImplementedError", "AttributeError"])
def test_a_load_that_is_not_implemented_is_skipped_with_a_word_in_the_log(
    tmp_path: Path, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = f"class Loading:\n    def load(self):\n        raise {error}('later')\n"

    load(unit(code=write(tmp_path, "Loading", source)))

    assert f"load() was skipped after {error}" in caplog.text


def test_the_names_of_seldon_core_can_be_imported(tmp_path: Path) -> None:
    source = """
from seldon_core.user_model import SeldonComponent, SeldonResponse
from seldon_core.metrics import create_counter
class Shimmed(SeldonComponent):
    def predict(self, X, names, meta=None):
        return SeldonResponse(X, tags={"a": 1}, metrics=[create_counter("c", 1)])
"""
    message = load(unit(code=write(tmp_path, "Shimmed", source))).invoke(Method.PREDICT, asking([[1]]))

    assert message.meta.tags == {"a": 1}
    assert message.own_metrics == [{"key": "c", "type": "COUNTER", "value": 1}]


def test_the_mount_in_parameters_becomes_the_real_folder(tmp_path: Path) -> None:
    source = """
class Located:
    def __init__(self, model_uri, other, near):
        self.given = [model_uri, other, near]
    def predict(self, X, names):
        return self.given
"""
    of = unit(
        code=write(tmp_path, "Located", source),
        artifact=Artifact(uri="s3://bucket/model"),
        model_uri="/mnt/models",
        other="/mnt/models/sub/file",
        near="/mnt/models2",
    )

    assert answer(load(of, Path("/real"))) == ["/real", "/real/sub/file", "/mnt/models2"]


def test_a_custom_service_runs_beside_the_model(tmp_path: Path) -> None:
    source = """
import threading
started = threading.Event()
class Beside:
    def custom_service(self):
        started.set()
"""
    load(unit(code=write(tmp_path, "Beside", source)))

    assert sys.modules["Beside"].started.wait(5)


def test_a_custom_service_that_ends_badly_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = "class Beside:\n    def custom_service(self):\n        raise OSError('port taken')\n"

    load(unit(name="beside", code=write(tmp_path, "Beside", source)))
    for thread in threading.enumerate():
        if thread.name == "custom-service-beside":
            thread.join(5)

    assert "custom_service() ended" in caplog.text
    assert "port taken" in caplog.text


def test_an_error_handler_for_flask_is_said_to_be_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(unit(code=write(tmp_path, "Handling", "class Handling:\n    model_error_handler = object()\n")))

    assert "model_error_handler is ignored" in caplog.text


# --- what goes wrong --------------------------------------------------------------------------------------------


def failure(of: Unit) -> str:
    with pytest.raises(LoadError) as failed:
        load(of)
    return str(failed.value)


@pytest.mark.parametrize(
    ("source", "ending"),
    [
        ("import nothing_like_it\n", "ModuleNotFoundError: No module named 'nothing_like_it' ({file}:1)"),
        ("x = 1\n\ny = x / 0\n", "ZeroDivisionError: division by zero ({file}:3)"),
        ("class Broken:\n    def __init__(self) -> None\n", "SyntaxError: expected ':' ({file}:2)"),
    ],
)
def test_a_module_that_cannot_be_imported_names_the_line(tmp_path: Path, source: str, ending: str) -> None:
    message = failure(unit(code=write(tmp_path, "Broken", source)))

    assert message == (
        f"unit classifier: cannot import Broken from {tmp_path}: {ending.format(file=tmp_path / 'Broken.py')}"
    )


def test_a_constructor_that_fails_names_the_line_and_the_parameters(tmp_path: Path) -> None:
    source = "class Broken:\n    def __init__(self, a):\n        open('/does/not/exist')\n"

    message = failure(unit(code=write(tmp_path, "Broken", source), a=1))

    assert message.startswith("unit classifier: Broken(a) failed: FileNotFoundError: ")
    assert message.endswith(f"({tmp_path / 'Broken.py'}:3)")


def test_a_parameter_the_constructor_does_not_take_is_named(tmp_path: Path) -> None:
    message = failure(unit(code=write(tmp_path, "Adding", ADDING), size=1))

    assert "unexpected keyword argument 'size'" in message


def test_a_load_that_fails_names_the_line(tmp_path: Path) -> None:
    source = "class Broken:\n    def load(self):\n        raise RuntimeError('no GPU')\n"

    assert failure(unit(code=write(tmp_path, "Broken", source))) == (
        f"unit classifier: load() failed: RuntimeError: no GPU ({tmp_path / 'Broken.py'}:3)"
    )


def test_a_class_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    code = write(tmp_path, "Other", ADDING)

    assert failure(unit(code=code)) == "unit classifier: module Other has no class Other; it has Adding"


def test_a_module_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    message = failure(unit(code=UserCode(target="Missing", path=str(tmp_path))))

    assert message == (
        f"unit classifier: cannot import Missing from {tmp_path}: ModuleNotFoundError: No module named 'Missing'"
    )


def test_a_path_that_is_no_folder_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"

    assert f"{gone}, is not a folder" in failure(unit(code=UserCode(target="Mine", path=str(gone))))


def test_a_target_that_is_no_name_is_refused(tmp_path: Path) -> None:
    assert "expected Module or package.module.Class" in failure(
        unit(code=UserCode(target="my-model", path=str(tmp_path)))
    )


@pytest.mark.parametrize("name", ["json", "yaml", "sys"])
def test_a_module_named_like_a_library_is_refused_and_the_library_stays(tmp_path: Path, name: str) -> None:
    import yaml  # noqa: F401

    library = sys.modules[name]

    message = failure(unit(code=write(tmp_path, name, ADDING)))

    assert f"the name of its module, {name}, is taken by an installed or built-in module" in message
    assert sys.modules[name] is library


def test_a_unit_without_code_cannot_be_loaded() -> None:
    assert "no Python class is named" in failure(unit())


# --- rows -------------------------------------------------------------------------------------------------------

ROWWISE = """
class Rowwise:
    fairlead_rowwise = True
    def predict(self, X, names, meta=None):
        return [[row.sum()] for row in X]
    def class_names(self):
        return ["sum"]
"""


def test_a_class_that_opts_in_answers_rows(tmp_path: Path) -> None:
    rows = load(unit(code=write(tmp_path, "Rowwise", ROWWISE))).rows

    assert rows is not None
    assert rows.predict(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[3.0], [7.0]]
    assert rows.class_names == ["sum"]


def test_a_class_that_does_not_opt_in_has_no_rows(tmp_path: Path) -> None:
    assert load(unit(code=write(tmp_path, "Adding", ADDING))).rows is None


def test_a_class_that_reports_per_request_cannot_opt_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    servable = load(unit(code=write(tmp_path, "Rowwise", ROWWISE + "    def tags(self):\n        return {}\n")))

    assert servable.rows is None
    assert "fairlead_rowwise is ignored, because the class has tags" in caplog.text
