"""How often Python looks for garbage where records stream through: seldom."""

from __future__ import annotations

import atexit
import gc

YOUNG_OBJECTS_MOST = 50_000
COMMANDS_YOUNG_OBJECTS_MOST = 500_000
"""Of a process that ends by itself: some 50 MB of garbage, had it any."""


def collect_garbage_seldom() -> None:
    """Records in flight are thousands of live objects without cycles; looking through them time and again costs as
    much as parsing them. What a start leaves behind is never looked through again. For a whole process, at its start.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MOST, 20, 20)


def collect_garbage_hardly() -> None:
    """For a command, before it imports anything. What is imported stays, and what is there at the end goes with the
    process: looking through the one and the other cost a replay of the year of flights .1 s of its 4.
    """
    gc.set_threshold(COMMANDS_YOUNG_OBJECTS_MOST, 20, 20)
    atexit.register(gc.freeze)
