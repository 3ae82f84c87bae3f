"""What the control process does without until somebody needs it: it starts with every `fairlead up` and `run`."""

import subprocess
import sys

import pytest

LATER = ("aiohttp", "argon2", "cryptography", "jinja2", "jwt", "numpy", "sklearn")


@pytest.mark.parametrize("module", ["fairlead.control.main", "fairlead.registry.accounts.service"])
def test_what_few_need_is_not_imported(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & set({LATER!r})))"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
