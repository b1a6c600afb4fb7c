"""Logs: one JSON object a line (or plain on a terminal), with the request id, redacted."""

from __future__ import annotations

import logging
import logging.config
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from portal.core import cause as causes
from portal.core.redaction import redact


def add_cause(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    cause = causes._current.get()
    if cause is not None:
        event.setdefault("request_id", cause.request_id)
        event.setdefault("actor", f"{cause.actor.kind}:{cause.actor.id}")
    return event


def redacted(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    return {key: value if key.startswith("_") else _without_secrets(value) for key, value in event.items()}


def _without_secrets(value: Any) -> Any:
    """``value`` as a line of the log may hold it: an object by the words it shows itself with."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {redact(str(key)): _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without_secrets(item) for item in value]
    return redact(value if isinstance(value, str) else repr(value))


def configure(options: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG hook; ``options`` is settings.LOGGING."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_cause,
        structlog.processors.format_exc_info,
        redacted,
    ]
    last: Any = structlog.dev.ConsoleRenderer(colors=False) if options["plain"] else structlog.processors.JSONRenderer()
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*shared[:-1], structlog.stdlib.PositionalArgumentsFormatter(), redacted],
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": formatter},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
            # Two lines for every tick would bury what matters.
            "loggers": {
                name: {"level": "WARNING"}
                for name in ("uvicorn.access", "celery.beat", "celery.worker.strategy", "celery.app.trace")
            },
        }
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
