"""When a worker process that has ended is started again, and when that would help nobody."""

from __future__ import annotations

from dataclasses import dataclass

from driftloop.streams.transport.exits import Exit

CONFIG_OF_THE_COMMAND = 2
"""How the command line ends over a setting, before there is a worker (console/__main__.py)."""
FOR_GOOD = frozenset({Exit.STOPPED, Exit.CONFIG, Exit.REFUSED, Exit.SOURCE_LOST, CONFIG_OF_THE_COMMAND})
"""Somebody has stopped it, or it would end in the same way again: only a person can help."""
STEADY_SECONDS = 60.0
"""A worker that lived so long has worked; what ends it then is a new story."""
CRASHES_MOST = 8
WAIT_SECONDS_MOST = 30.0


@dataclass
class Restarts:
    """The crashes in a row of one worker. ``worked``: once it had lived long enough to know where its cluster is."""

    crashes: int = 0
    worked: bool = False

    def wait_after(self, code: int, lived_seconds: float) -> float | None:
        """Seconds until it is started again: 0, then 1, 2, 4, .. 30; None: it is not. ``code`` < 0: a signal.

        Who has worked waits for a cluster that is away (for an upgrade, with a full disk) as long as it takes: eight
        times are over in some minutes, and nobody would be there when it is back.
        """
        if code in FOR_GOOD:
            return None
        self.worked = self.worked or lived_seconds >= STEADY_SECONDS
        self.crashes = 1 if lived_seconds >= STEADY_SECONDS else self.crashes + 1
        if self.crashes > CRASHES_MOST:
            return WAIT_SECONDS_MOST if self.worked and code == Exit.UNAVAILABLE else None
        return 0.0 if self.crashes == 1 else min(WAIT_SECONDS_MOST, 2.0 ** (self.crashes - 2))
