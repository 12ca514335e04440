"""Is it drifting? Pure steps over numpy, one concept a file; adding a test is one file and one line of ``DETECTORS``.

Every test has the same face: ``Settings``, ``start(settings)``, ``step(settings, state, seen) -> (state, Verdict)``,
``to_bytes(state)``, ``from_bytes(data)`` and ``BOUND``, which says what its false alarms are held to, and when. Those
that watch single values also have ``scan(settings, state, values) -> (state, Found)``: at which of them they alarm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from driftloop.detectors.table import DETECTORS, Detector
    from driftloop.detectors.verdict import Verdict

__all__ = ["DETECTORS", "Detector", "Verdict"]


def __getattr__(name: str) -> Any:
    """The table imports every test, and most processes use a few: it is read when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from driftloop.detectors import table, verdict

    return verdict.Verdict if name == "Verdict" else getattr(table, name)
