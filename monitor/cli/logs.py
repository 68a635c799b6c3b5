"""Logs go to stderr: lines for people on a terminal, JSON for journald. Control characters never reach a terminal."""

from __future__ import annotations

import logging
import sys

from monitor.cli.output import is_terminal


def configure(level: int = logging.WARNING) -> None:
    """Set up structlog once for a command. The service asks for INFO."""
    import structlog

    console = is_terminal(sys.stderr)
    renderer = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
