"""The command line of the container that serves: whatever of shells, programs and variables is around it, what is left
are a server's flags.

Templates start vLLM as `vllm serve MODEL --flag …`, often by way of a shell, and add the words that a variable holds.
"""

import re
import shlex
from collections.abc import Mapping, Sequence

ADDED_ARGUMENTS = "VLLM_ADDITIONAL_ARGS"
"""Words after a server's own, by KServe's convention."""
PORT = 8000
_SHELLS = ("sh", "bash", "/bin/sh", "/bin/bash")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_PROGRAMS = frozenset(("exec", "eval", "vllm", "python", "python3", "-m"))


def default_words(model: str, name: str, extra: str) -> tuple[str, ...]:
    """How vLLM is started where nothing is said."""
    return ("vllm", "serve", model, "--served-model-name", name, "--port", str(PORT), *_split(extra))


def flags(command: Sequence[str], args: Sequence[str], env: Mapping[str, str]) -> tuple[str, ...]:
    """The server's flags. `env` are the variables that are known. The model that is named without a flag gets one."""
    words = [*command, *args]
    if words and words[0] in _SHELLS:
        scripts = [word for word in words[1:] if not word.startswith("-")]
        words = [word for script in scripts for word in _split(_expanded(script, env))]
    elif ADDED_ARGUMENTS in env:
        words += _split(_expanded(env[ADDED_ARGUMENTS], env))
    words = _after_program(words)
    if words and not words[0].startswith("-"):
        return ("--model", *words)
    return tuple(words)


def _after_program(words: list[str]) -> list[str]:
    """A script may prepare something first; the server is what it runs last."""
    starts = [index for index, word in enumerate(words) if word in ("serve", "vllm.entrypoints.openai.api_server")]
    if starts:
        return words[starts[-1] + 1 :]
    first = next((index for index, word in enumerate(words) if word not in _PROGRAMS), len(words))
    return words[first:]


def _expanded(text: str, env: Mapping[str, str]) -> str:
    """A shell's variables, those that nobody set as nothing."""
    return _VARIABLE.sub(lambda match: env.get(match[1] or match[2], ""), text)


def _split(text: str) -> list[str]:
    """A shell's words. What cannot be read as such is taken apart at spaces."""
    try:
        return shlex.split(text.replace("\\\n", " "))
    except ValueError:
        return text.split()
