"""KServe's loggers. Where they write is the worker's business."""

import logging

KSERVE_LOGGER_NAME = "kserve"
KSERVE_TRACE_LOGGER_NAME = "kserve.trace"

logger = logging.getLogger(KSERVE_LOGGER_NAME)
trace_logger = logging.getLogger(KSERVE_TRACE_LOGGER_NAME)


def configure_logging(log_config: object = None) -> None:
    """Taken and ignored: the worker's log is set up already, and its format is the owner's choice."""
    if log_config is not None:
        logger.info("the log configuration %s is ignored", log_config)
