"""Where a build is, from what builders print: buildah 1.28, Docker 20.10 and 28, Buildx 0.13 wrote the texts."""

import pytest

from fairlead.images.builders.steps import Steps

BUILDAH = """\
[1/2] STEP 1/3: FROM localhost/base:1
[2/2] STEP 2/3: RUN echo hello; false
hello
subprocess exited with status 1
Error: building at STEP "RUN echo hello; false": exit status 1
"""
CLASSIC = """\
Step 1/2 : FROM base:1
 ---> de050df72e1e
Step 2/2 : RUN echo hello; false
 ---> Running in 674fae76e538
hello
The command '/bin/sh -c echo hello; false' returned a non-zero code: 1
"""
BUILDKIT = """\
#3 [internal] load metadata for docker.io/library/base:1
#3 DONE 0.0s

#4 [build 1/3] FROM docker.io/library/base:1
#4 CACHED

#5 [build 2/3] RUN echo other
#6 [stage-1 2/3] RUN echo hello; false
#5 0.141 other
#6 0.091 hello
#5 DONE 0.2s
#6 ERROR: executor failed running [/bin/sh -c echo hello; false]: exit code: 1
------
 > [stage-1 2/3] RUN echo hello; false:
0.091 hello
------
ERROR: failed to solve: executor failed running [/bin/sh -c echo hello; false]: exit code: 1
"""


def heard(text: str) -> Steps:
    steps = Steps()
    for line in text.splitlines():
        steps.hear(line)
    return steps


@pytest.mark.parametrize(
    ("text", "step"),
    [(BUILDAH, "step 2/3: RUN echo"), (CLASSIC, "step 2/2: RUN echo"), (BUILDKIT, "step stage-1 2/3: RUN echo")],
    ids=["buildah", "docker", "buildkit"],
)
def test_the_step_that_failed_is_named_with_what_it_printed(text: str, step: str) -> None:
    steps = heard(text)

    assert steps.trouble().startswith(step)
    assert "hello" in steps.trouble()
    assert not steps.is_push_trouble


def test_each_step_is_told_once_although_steps_run_side_by_side() -> None:
    steps = Steps()

    begun = [line for line in BUILDKIT.splitlines() if steps.hear(line)]

    assert [line.partition(" [")[0] for line in begun] == ["#4", "#5", "#6"]


def test_a_push_that_is_refused_is_no_failed_step() -> None:
    text = "#4 [1/1] FROM base\n#4 DONE 0.0s\n#7 pushing reg/x:1\n#7 ERROR: failed to push reg/x:1: denied\n"

    assert heard(text).is_push_trouble


def test_a_program_that_says_nothing_has_its_exit_code_told() -> None:
    steps = heard("")
    steps.ended("docker ended with exit code 3")

    assert steps.trouble() == "docker ended with exit code 3"
