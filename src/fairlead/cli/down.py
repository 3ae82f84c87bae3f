"""`fairlead down`: stop this machine's instance."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.connection import home_at
from fairlead.cli.durations import seconds
from fairlead.cli.instance import find_running, stop_running


def down(*, home: Annotated[Path | None, Parameter(env_var="FAIRLEAD_HOME")] = None, timeout: str = "60s") -> int:
    """Stop Fairlead. Requests that are under way are finished first; what was applied is there at the next start.

    Parameters
    ----------
    home
        Where the installation keeps its things (default: ~/.fairlead).
    timeout
        How long to wait until it has ended, such as 90s (default: 60s).
    """
    timeout_s = seconds(timeout)
    place = home_at(home)
    running = find_running(place)
    if running is None:
        output.say(f"Fairlead is not running in {place.root}.")
        return 0
    stop_running(running, timeout_s=timeout_s)
    output.say("Fairlead has stopped.")
    return 0
