"""`fairlead storage-initializer`: an init container's whole work."""

import logging
import os
import sys
from typing import Annotated

from cyclopts import Parameter

from fairlead.cli.exits import CommandFailed
from fairlead.errors import FairleadError


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
    from fairlead.pods.telling_why import tell_why

    logging.basicConfig(stream=sys.stderr, level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        wanted = pairs_of(pairs)
        initialize(wanted, os.environ, unpacks=not keep_archives)
    except FairleadError as error:
        raise CommandFailed(tell_why(str(error), os.environ)) from error
    for uri, folder in wanted:
        from fairlead.storage.uris import without_secrets

        logging.getLogger("fairlead").info("%s is in %s", without_secrets(uri), folder)
    return 0
