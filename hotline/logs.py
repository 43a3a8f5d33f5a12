"""Log lines: one event a line on standard error, `key=value` after a sentence. Personal data stands in fields alone."""

import logging
import sys

import structlog
from structlog.typing import Processor


def configure(*, verbose: bool = False) -> None:
    """Set up structlog and the standard library's logging alike."""
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *_renderers(terminal=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _renderers(*, terminal: bool) -> list[Processor]:
    # Plain tracebacks: the local variables of a frame are personal data.
    if terminal:
        # Quoted: what strangers send must not steer the terminal.
        return [structlog.dev.ConsoleRenderer(repr_native_str=True, exception_formatter=structlog.dev.plain_traceback)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
    ]
