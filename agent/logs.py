"""Logs: coloured on a terminal, one JSON object a line under systemd or into a file."""

import logging
import os
import sys
from typing import TextIO

import structlog
from structlog.typing import Processor

#: Name of the variable that sets the level: debug, info, warning, error.
LEVEL_VARIABLE = "BONGSU_LOG"
# Libraries that say much and mean little; what matters of theirs reaches us as errors.
_QUIET = ("amqtt", "asyncio", "httpcore", "httpx", "mqtt", "pymodbus", "transitions", "uvicorn", "watchdog")


def configure(part: str = "", *, stream: TextIO | None = None, usual: str = "info") -> None:
    """Set logs up for this process, ours and those of every library. May be called again.

    Args:
        part: the daemon's name, a key of every line; empty for none.
        stream: where the lines go; the standard error stream by default.
        usual: the level where the variable sets none.
    """
    target = stream or sys.stderr
    level = _level(os.environ.get(LEVEL_VARIABLE) or usual)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_renderers(part, target))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _renderers(part: str, target: TextIO) -> list[Processor]:
    def name_part(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if part:
            line["daemon"] = part
        return line

    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if target.isatty() and "INVOCATION_ID" not in os.environ:
        return [remove, structlog.dev.ConsoleRenderer()]
    return [
        remove,
        name_part,
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]


def _level(text: str) -> int:
    known = logging.getLevelNamesMapping()
    return known.get(text.strip().upper(), logging.INFO)
