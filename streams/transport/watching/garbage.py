"""How often Python looks for garbage where records stream through: seldom."""

from __future__ import annotations

import gc

YOUNG_OBJECTS_MOST = 50_000


def collect_garbage_seldom() -> None:
    """Records in flight are thousands of live objects without cycles; looking through them time and again costs as
    much as parsing them. What a start leaves behind is never looked through again. For a whole process, at its start.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MOST, 20, 20)
