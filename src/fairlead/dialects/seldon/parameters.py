"""Graph parameters: text in the manifest, typed for the class that takes them.

The two texts are the Python wrapper's own (Seldon Core v1, MICROSERVICE_BAD_PARAMETER).
"""

from collections.abc import Callable, Sequence

from fairlead.dialects.findings import Findings
from fairlead.dialects.seldon.schema import Parameter as Written
from fairlead.plan.model import Parameter

_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE


_READERS: dict[str, Callable[[str], str | int | float | bool]] = {
    "INT": int,
    "FLOAT": float,
    "DOUBLE": float,
    "STRING": str,
    "BOOL": _boolean,
}


def lower_parameters(written: Sequence[Written], path: str, findings: Findings) -> tuple[Parameter, ...]:
    """The parameters by their types; what cannot be read is reported under `path`."""
    parameters = []
    for index, parameter in enumerate(written):
        where = f"{path}.parameters[{index}]"
        reader = _READERS.get(parameter.type)
        if reader is None:
            known = ", ".join(_READERS)
            findings.refuse(f"{where}.type", f"Bad model parameter type: {parameter.type} valid are {known}")
            continue
        try:
            value = reader(parameter.value)
        except ValueError:
            name, text, kind = parameter.name, parameter.value, parameter.type
            message = f"Bad model parameter: {name} with value {text} can't be parsed as a {kind}"
            findings.refuse(f"{where}.value", message)
            continue
        parameters.append(Parameter(name=parameter.name, value=value, type=parameter.type))
    return tuple(parameters)
