"""`fairlead storage-initializer`: an init container's whole work."""

import os
from typing import Annotated

from cyclopts import Parameter

from fairlead.cli.pod_logging import in_pod


def storage_initializer(
    *pairs: Annotated[str, Parameter(allow_leading_hyphen=False)],
    keep_archives: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Fetch models into folders, as the init container of a pod.

    Takes what the storage initializers of KServe and Seldon Core take: a URI and a folder, any number of times, and
    credentials in the variables that they read. Ends with 1 and one sentence when anything is missing, refused or
    empty; the sentence is the container's termination message too.

    Parameters
    ----------
    pairs
        SRC DST [SRC DST ...].
    keep_archives
        Leave a model that is one archive (zip, tar, tar.gz, tgz) as it is; without this it is unpacked.
    """
    from fairlead.pods.initializing import initialize, pairs_of

    def run() -> int:
        initialize(pairs_of(pairs), os.environ, unpacks=not keep_archives)
        return 0

    return in_pod(run, level="INFO")
