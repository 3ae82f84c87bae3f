"""Objects as text that every reader of YAML takes for the same objects.

PyYAML leaves text plain that Kubernetes' own reader takes for a number or a boolean (`1e3`, `0o7`, `y`): an environment
variable of that value would be refused. Whatever either of the two would not read as text is quoted here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from fairlead.dialects.scalars import resolve

_STRING = "tag:yaml.org,2002:str"


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, which kubectl reads and people do not."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    if "\n" in text and not any(line != line.rstrip() for line in text.split("\n")):
        return dumper.represent_scalar(_STRING, text, style="|")
    return dumper.represent_scalar(_STRING, text, style='"' if _is_more_than_text(text) else None)


def _is_more_than_text(text: str) -> bool:
    try:
        return not isinstance(resolve(text), str)
    except ValueError:
        return True


_Dumper.add_representer(str, _represent_text)


def yaml_of(objects: Iterable[Mapping[str, Any]]) -> str:
    """Documents, each but the first after a line of dashes; fields in the order they were written in."""
    return "---\n".join(
        yaml.dump(one, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120) for one in objects
    )
