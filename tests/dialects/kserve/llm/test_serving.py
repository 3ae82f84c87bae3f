"""Command lines of servers as flags."""

import pytest

from fairlead.dialects.kserve.llm.serving import flags


@pytest.mark.parametrize(
    ("command", "args", "env", "expected"),
    [
        ([], ["--dtype=float32"], {}, ("--dtype=float32",)),
        (["vllm", "serve", "org/tiny"], ["--port", "8000"], {}, ("--model", "org/tiny", "--port", "8000")),
        (["python", "-m", "vllm.entrypoints.openai.api_server"], ["--dtype=auto"], {}, ("--dtype=auto",)),
        (["vllm", "serve"], ["--dtype=auto"], {"VLLM_ADDITIONAL_ARGS": "--seed 1"}, ("--dtype=auto", "--seed", "1")),
        (
            ["/bin/sh", "-c"],
            ["export X=1\nexec vllm serve /mnt/models --max-num-seqs ${N} \\\n $VLLM_ADDITIONAL_ARGS $NOT_SET"],
            {"N": "4", "VLLM_ADDITIONAL_ARGS": "--seed 1"},
            ("--model", "/mnt/models", "--max-num-seqs", "4", "--seed", "1"),
        ),
        (["sh", "-c"], ["vllm serve /mnt/models --chat-template 'not closed"], {}, ("--model", "/mnt/models",
            "--chat-template", "'not", "closed")),
    ],
    ids=["flags alone", "serve", "module", "added", "shell", "no shell's words"],
)  # fmt: skip
def test_what_is_left_of_a_command_line_are_flags(
    command: list[str], args: list[str], env: dict[str, str], expected: tuple[str, ...]
) -> None:
    assert flags(command, args, env) == expected
