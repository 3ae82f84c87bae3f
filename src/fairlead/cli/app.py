"""The command `fairlead`: names its commands, imports the one that is asked for, and ends with the right code.

A command's module is imported when it runs, not before, so `--help` and a pipe in a loop stay quick. Errors of
ours are one message on stderr; a traceback is for us, and shown only with FAIRLEAD_DEBUG=1.
"""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group, Parameter

from fairlead.cli.exits import CommandFailed, Exit, TimedOut, UsageError
from fairlead.cli.standing_in import meant
from fairlead.errors import FairleadError

_DEFAULTS = Parameter(show_default=False)
_RUNNING = Group.create_ordered("This machine")
_OBJECTS = Group.create_ordered("Objects")
_USING = Group.create_ordered("Using models")
_REGISTRY = Group.create_ordered("Models and bentos")
_PEOPLE = Group.create_ordered("People and tokens")
_CHECKING = Group.create_ordered("Without a server")
_CLUSTER = Group.create_ordered("A Kubernetes cluster")
_PODS = Group.create_ordered("In a pod of Kubernetes")

_COMMANDS: tuple[tuple[str, Group, str], ...] = (
    ("fairlead.cli.up:up", _RUNNING, "Start Fairlead on this machine."),
    ("fairlead.cli.down:down", _RUNNING, "Stop it."),
    ("fairlead.cli.state:status", _RUNNING, "Show what runs, where, and what it serves."),
    ("fairlead.cli.run:run", _RUNNING, "Start a private instance, apply manifests, run a command, tear down."),
    ("fairlead.cli.apply:apply", _OBJECTS, "Create or change what manifests describe."),
    ("fairlead.cli.diff:diff", _OBJECTS, "Show what manifests would change."),
    ("fairlead.cli.get:get", _OBJECTS, "List objects, or print them."),
    ("fairlead.cli.describe:describe", _OBJECTS, "Show one object with its status and events."),
    ("fairlead.cli.delete:delete", _OBJECTS, "Delete objects by name or by manifest."),
    ("fairlead.cli.wait:wait", _OBJECTS, "Wait until objects are as you want them."),
    ("fairlead.cli.logs:logs", _OBJECTS, "Print what replicas wrote."),
    ("fairlead.cli.predict:predict", _USING, "Send a request to a model and print the answer."),
    ("fairlead.cli.serve:serve", _USING, "Serve one model folder or one Python class, without Fairlead around it."),
    ("fairlead.cli.push:push", _REGISTRY, "Put a model or a bento into the registry."),
    ("fairlead.cli.pull:pull", _REGISTRY, "Get one from it into a folder."),
    ("fairlead.cli.versions:models", _REGISTRY, "List the registry's models."),
    ("fairlead.cli.versions:bentos", _REGISTRY, "List its bentos."),
    ("fairlead.cli.tag:tag", _REGISTRY, "Give a version another name."),
    ("fairlead.cli.rm:rm", _REGISTRY, "Remove versions."),
    ("fairlead.cli.build:build", _REGISTRY, "Make an image of a model, a class or a bento."),
    ("fairlead.cli.check:validate", _CHECKING, "Check manifests."),
    ("fairlead.cli.check:plan", _CHECKING, "Show what manifests would run."),
    ("fairlead.cli.render:render", _CHECKING, "Show the Kubernetes objects of manifests."),
    ("fairlead.cli.version:version", _CHECKING, "Print the version."),
    ("fairlead.cli.install:install", _CLUSTER, "Install the operator into a cluster, or upgrade it."),
    ("fairlead.cli.install:uninstall", _CLUSTER, "Take the operator out; models run on."),
    ("fairlead.cli.operator:operator", _PODS, "Make the manifests of a cluster true."),
    ("fairlead.cli.gateway:gateway", _PODS, "Scale a cluster's workloads by their requests, without Knative."),
    ("fairlead.cli.engine:engine", _PODS, "Orchestrate the graph of a Seldon predictor."),
    ("fairlead.cli.model_server:model_server", _PODS, "Serve a model folder with a KServe runtime's flags."),
    ("fairlead.cli.agent:agent", _PODS, "Log, gather and fetch beside a KServe model server."),
    ("fairlead.cli.router:router", _PODS, "Route requests through an InferenceGraph."),
    ("fairlead.cli.storage_initializer:storage_initializer", _PODS, "Fetch models into folders."),
)

# Commands of two words: the first, where it is listed, what it is about, and the second words with their texts.
_NESTED: tuple[tuple[str, Group, str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "registry",
        _REGISTRY,
        "A registry by itself: serve, back up, restore, check, collect, migrate.",
        (
            ("fairlead.cli.registry:serve", "serve", "Serve models and bentos, and nothing else."),
            ("fairlead.cli.registry_upkeep:backup", "backup", "Write everything into a folder."),
            ("fairlead.cli.registry_upkeep:restore", "restore", "Put a backup into a new registry."),
            ("fairlead.cli.registry_upkeep:check", "check", "Say what is not there whole."),
            ("fairlead.cli.registry_upkeep:collect", "collect", "Remove what nothing uses, now."),
            ("fairlead.cli.registry_upkeep:migrate", "migrate", "Bring the database to another schema."),
        ),
    ),
    (
        "token",
        _PEOPLE,
        "API tokens: create, list, revoke.",
        (
            ("fairlead.cli.token:create", "create", "Make a token and print it, this once."),
            ("fairlead.cli.token:list_", "list", "List tokens."),
            ("fairlead.cli.token:revoke", "revoke", "End tokens at once."),
        ),
    ),
    (
        "user",
        _PEOPLE,
        "People and what they may do: add, list, role, disable, passwd.",
        (
            ("fairlead.cli.user:add", "add", "Add a user."),
            ("fairlead.cli.user:list_", "list", "List users and their roles."),
            ("fairlead.cli.user:role", "role", "Give a user another role."),
            ("fairlead.cli.user:disable", "disable", "Shut a user out, or let them in again."),
            ("fairlead.cli.user:passwd", "passwd", "Give a user a password."),
        ),
    ),
)


def build() -> App:
    """The command tree. Nothing of a command is imported yet."""
    app = App(
        name="fairlead",
        help="Runs Seldon Core manifests on one machine, with no cluster.",
        version=_version,
        default_parameter=_DEFAULTS,
        # Rendering help as markdown would import a parser and a highlighter: 80 ms of 300.
        help_format="plaintext",
        help_epilogue="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 timed out, 130 interrupted.",
    )
    for path, group, text in _COMMANDS:
        app.command(path, name=path.rpartition(":")[2].replace("_", "-"), group=group, help=text)
    for first, group, text, commands in _NESTED:
        nested = App(name=first, help=text, group=group, help_format="plaintext", default_parameter=_DEFAULTS)
        for path, second, about in commands:
            nested.command(path, name=second, help=about)
        app.command(nested)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit code. Never raises for what a user can cause."""
    if not os.environ.get("FAIRLEAD_HOME", "unset"):
        # Set but empty means unset, as in the shell; as a path it would be the current folder.
        del os.environ["FAIRLEAD_HOME"]
    try:
        words = meant(arguments, os.environ)
        return _code(build()(words, exit_on_error=False, print_error=False, result_action="return_value"))
    except CycloptsError as problem:
        return _complain(str(problem), Exit.USAGE, hint=True)
    except UsageError as problem:
        return _complain(str(problem), Exit.USAGE)
    except TimedOut as problem:
        return _complain(str(problem), Exit.TIMED_OUT)
    except CommandFailed as problem:
        return _complain(str(problem), problem.code) if str(problem) else problem.code
    except FairleadError as problem:
        if os.environ.get("FAIRLEAD_DEBUG") == "1":
            raise
        return _complain(str(problem), Exit.FAILED)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`| head`): nobody is left to tell, and Python's own complaint at exit helps no one.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except OSError as problem:
        if os.environ.get("FAIRLEAD_DEBUG") == "1":
            raise
        return _complain(_of_the_system(problem), Exit.FAILED)
    except Exception as problem:
        if os.environ.get("FAIRLEAD_DEBUG") == "1":
            raise
        text = f"{type(problem).__name__}: {problem} (this is a bug; FAIRLEAD_DEBUG=1 shows where)"
        return _complain(text, Exit.FAILED)


def _code(result: object) -> int:
    return result if isinstance(result, int) else Exit.OK


def _of_the_system(problem: OSError) -> str:
    """What the system refused, such as a folder that cannot be written or a full disk."""
    what = problem.strerror or str(problem)
    return f"{os.fsdecode(problem.filename)}: {what}" if problem.filename is not None else what


def _complain(text: str, code: int, *, hint: bool = False) -> int:
    sys.stderr.write(f"fairlead: {text}\n" if text else "")
    if hint:
        sys.stderr.write("See `fairlead --help` or `fairlead COMMAND --help`.\n")
    sys.stderr.flush()
    return int(code)


def _version() -> str:
    from fairlead.cli.version import text

    return text()


if __name__ == "__main__":
    main()
