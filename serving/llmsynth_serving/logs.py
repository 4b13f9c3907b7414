"""Logs: one JSON object a line on standard error, with request ids and without secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.types import Processor

_KEY = re.compile(r"(lls_[0-9a-f]{1,64}_)[\w-]+")
_PASSWORD = re.compile(r"(://[^/\s:@\"]*:)[^/\s@\"]+@")


def set_up_logs(level: int = logging.INFO) -> None:
    """Send every log of this process, libraries' too, through the same steps."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _trace,
                structlog.processors.JSONRenderer(default=str),
                _cleaned,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # They tell of every step, or what the service's own lines say already.
    for name in ("alembic", "dbos", "httpx", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)


def without_secrets(text: str) -> str:
    """The text with keys and passwords in addresses blotted out."""
    return _PASSWORD.sub(r"\1***@", _KEY.sub(r"\1***", text))


# Values of local variables stay out of traces: rows and keys are among them.
_trace = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def _cleaned(logger: object, method: str, line: MutableMapping[str, Any] | str) -> str:
    return without_secrets(str(line))
