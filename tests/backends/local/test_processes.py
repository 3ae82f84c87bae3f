import os

from fairlead.backends.local import processes


def test_credentials_of_the_owners_shell_are_not_passed_on() -> None:
    environ = {"PATH": "/bin", "LC_ALL": "C", "AWS_SECRET_ACCESS_KEY": "x", "GITHUB_TOKEN": "y", "PYTHONPATH": "p"}

    assert processes.scrubbed_environment(environ, {"MINE": "1"}) == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "PYTHONPATH": "p",
        "MINE": "1",
    }


def test_a_recycled_pid_is_told_by_its_start() -> None:
    assert processes.is_alive(os.getpid())
    assert processes.start_mark(os.getpid()) == processes.start_mark(os.getpid()) != processes.start_mark(1)
