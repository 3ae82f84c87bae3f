import pytest

from fairlead.dialects.findings import Findings
from fairlead.dialects.seldon.parameters import lower_parameters
from fairlead.dialects.seldon.schema import Parameter as Written
from fairlead.plan.model import Parameter


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("INT", "-7", -7),
        ("FLOAT", "1", 1.0),
        ("DOUBLE", "2.5e3", 2500.0),
        ("STRING", "", ""),
        *(("BOOL", word, True) for word in ("y", "Yes", "t", "TRUE", "on", "1")),
        *(("BOOL", word, False) for word in ("n", "No", "f", "false", "OFF", "0")),
    ],
)
def test_text_becomes_its_type(kind: str, text: str, value: float | str | bool) -> None:
    findings = Findings()

    (found,) = lower_parameters([Written(name="p", value=text, type=kind)], "graph", findings)

    assert found == Parameter(name="p", value=value, type=kind)
    assert type(found.value) is type(value)
    findings.check()


@pytest.mark.parametrize(
    ("kind", "text", "path", "message"),
    [
        ("INT", "1.0", "value", "Bad model parameter: p with value 1.0 can't be parsed as a INT"),
        ("FLOAT", "", "value", "Bad model parameter: p with value  can't be parsed as a FLOAT"),
        ("BOOL", "2", "value", "Bad model parameter: p with value 2 can't be parsed as a BOOL"),
        ("int", "1", "type", "Bad model parameter type: int valid are INT, FLOAT, DOUBLE, STRING, BOOL"),
    ],
)
def test_what_is_not_of_its_type_has_the_wrappers_own_text(kind: str, text: str, path: str, message: str) -> None:
    findings = Findings()

    lower_parameters([Written(name="p", value=text, type=kind)], "graph", findings)

    assert [(problem.where.path, problem.message) for problem in findings.problems] == [
        (f"graph.parameters[0].{path}", message)
    ]
