"""One JSON object a line on standard error; nothing personal, and no flood while Kafka is away."""

import logging
import sys
import time
import traceback

import structlog

NOISY_SECONDS = 10
CLIENTS = ("aiokafka", "shared.kafka.client")
OWN = ("services.", "shared.")


class OncePerTenSeconds(logging.Filter):
    """Lets each message template pass once in ten seconds; aiokafka writes thousands a second without a broker."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """True when this template has not been seen for ten seconds."""
        now = time.monotonic()
        if now - self._last.get(record.msg, -NOISY_SECONDS) < NOISY_SECONDS:
            return False
        self._last[record.msg] = now
        return True


def _without_values(exc_info: structlog.typing.ExcInfo) -> str:
    """Where an exception and its causes came from. Only our own messages: others quote what a person wrote."""
    told = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        kind = type(error)
        message = f": {error}" if kind.__module__.startswith(OWN) else ""
        told.append("".join(traceback.format_tb(error.__traceback__)) + kind.__qualname__ + message)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nafter\n\n".join(told)


def configure(*, readable: bool) -> None:
    """Send structlog and the standard library's loggers through one renderer; `readable` is for a person's terminal."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if readable else structlog.processors.JSONRenderer()
    )
    stamp: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *stamp,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=stamp,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(_without_values),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("services").setLevel(logging.INFO)
    logging.getLogger("shared").setLevel(logging.INFO)
    once = OncePerTenSeconds()
    handler.addFilter(lambda record: not record.name.startswith(CLIENTS) or once.filter(record))
    # what Kafka's clients complain of shows in the health of the services; at a terminal it is only noise
    for client in CLIENTS:
        logging.getLogger(client).setLevel(logging.CRITICAL if readable else logging.ERROR)
