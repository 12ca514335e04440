"""How a worker ends, by name. A supervisor reads the number, a person reads the sentence before it.

An unplanned end is immediate (``os._exit``): whatever was not committed is redone by the successor, and a worker that
has lost its partitions must not spend its last seconds in destructors that wait for a broker.
"""

from __future__ import annotations

import logging
import os
from enum import IntEnum
from typing import NoReturn

log = logging.getLogger("driftloop.transport")


class Exit(IntEnum):
    """Numbers below 64 are the shell's and Python's; 69 and 78 are those of sysexits.h."""

    STOPPED = 0
    """Drained and left the group, as told."""
    UNAVAILABLE = 69
    """The cluster, or the schema registry, does not answer. Try again later."""
    FENCED = 70
    """A successor has taken the partitions (it opened the same transactional id). Start again to join anew."""
    REFUSED = 71
    """The cluster refuses what we write: rights, size, or a transaction that aborts time and again."""
    STUCK = 72
    """The event loop stood still, nothing was polled, or a partition did not come up, for too long."""
    ZOMBIE = 73
    """The group's coordination has ended without a word; a fresh process joins anew."""
    SOURCE_LOST = 74
    """A source topic was truncated or created anew under the state that was computed from it."""
    BROKEN = 75
    """A bug: an exception out of a fold or out of the transport. The trace is in the log."""
    DEADLINE = 76
    """Told to stop, but not drained in time; what is missing is redone by the successor."""
    CONFIG = 78
    """A setting, topic or version that cannot work. The sentence says which, and the way out."""


def leave(code: Exit, why: str) -> NoReturn:
    """End the process now, from any thread."""
    log.error("%s (exit %d): %s", code.name.lower().replace("_", " "), code, why)
    logging.shutdown()
    os._exit(code)
