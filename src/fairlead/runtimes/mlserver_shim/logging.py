"""MLServer's logger."""

import logging

logger = logging.getLogger("mlserver")
