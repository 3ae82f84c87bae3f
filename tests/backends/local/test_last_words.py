"""What is told of a process that ended."""

from fairlead.backends.local.last_words import LastWords


def heard(*lines: str) -> LastWords:
    words = LastWords()
    for line in lines:
        words.hear(line)
    return words


def test_the_last_exception_says_why_although_others_go_on() -> None:
    words = heard(
        "2026-11-22 [ERROR] Traceback (most recent call last):",
        '  File "service.py", line 3, in __init__',
        "RuntimeError: weights do not fit",
        "[ERROR] Application startup failed. Exiting.",
        "[INFO] another process stops",
    )

    assert words.why == "RuntimeError: weights do not fit"
    assert words.last == "[INFO] another process stops"


def test_an_error_of_a_command_line_says_why() -> None:
    assert heard("Error: no module 'x'", "If you are trying to import it, wrap it").why == "no module 'x'"


def test_without_either_it_is_the_last_line() -> None:
    assert heard("starting", "gone").why == "gone"
    assert LastWords().why == ""


def test_an_exception_of_long_ago_is_not_the_reason() -> None:
    words = heard("Traceback (most recent call last):", "ValueError: once", *["served"] * 100)

    assert words.why == "served"
