"""A broker that is away makes aiokafka say so fifty times a second. Once in a while is enough."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

WHILE_SECONDS = 10.0
SENTENCES_MOST = 1000


class OncePerWhile(logging.Filter):
    """Lets each sentence (logger and template, whatever its values) through once in ten seconds; counts the rest."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._last: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Sentences of our own always pass: they are written to be rare."""
        if record.name.startswith("driftloop"):
            return True
        key = (record.name, str(record.msg)[:60])
        now = self._clock()
        at, unsaid = self._last.get(key, (float("-inf"), 0))
        if now - at < WHILE_SECONDS:
            self._last[key] = (at, unsaid + 1)
            return False
        if len(self._last) >= SENTENCES_MOST:
            self._last.clear()
        self._last[key] = (now, 0)
        if unsaid:
            record.msg = f"{record.msg} (and {unsaid} times more since)"
        return True
