"""A season: whose clock the features follow; and what a reference has learned of it, which is bytes here.

What the bytes say is the detector's affair (detectors/seasonal): schemas carry them, so that their hash covers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

By = Literal["hour of week", "hour of day", "day of week"]
BYS: tuple[By, ...] = get_args(By)


@dataclass(frozen=True, slots=True)
class Season:
    """Hours and weekdays are those of ``zone``; ``holidays``, dates such as 2026-12-25 there, count as Sundays.

    ``by``: what may make a difference: hour and weekday, or one of them alone. ``calendar``: module:function, a
    function of the user's that says which hour of which kind of day an instant is; then ``zone`` says nothing.
    """

    zone: str = "UTC"
    holidays: tuple[str, ...] = ()
    by: By = "hour of week"
    calendar: str = ""

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Season:
        return cls(**dict(found) | {"holidays": tuple(found["holidays"])})


@dataclass(frozen=True, slots=True)
class SeasonBaseline:
    """``fitted``: base64 of what was learned from windows of ``window_seconds`` from ``offset_seconds`` on, by the
    hours of ``zone``; empty: nothing, for ``reason``, and ``hint`` is the way out. Holidays may be added later.
    ``slots``: what ``calendar`` says of every hour, for years ahead (detectors/seasonal/calendar.py), so that nobody
    but who builds the reference runs it. ``score_bins``: of the histogram of the scores, which was learned too, as
    ``version`` of the model makes them (empty: nothing named it); 0: it was not."""

    zone: str
    window_seconds: float
    offset_seconds: float
    fitted: str
    reason: str = ""
    hint: str = ""
    by: By = "hour of week"
    calendar: str = ""
    slots: str = ""
    version: str = ""
    score_bins: int = 0


def as_told(season: Season | SeasonBaseline) -> dict[str, Any]:
    """As JSON has it. What came after the first release stands there only where it says something, so that hashes
    over what does not use it stay."""
    later = {"by": BYS[0], "calendar": "", "slots": "", "version": "", "score_bins": 0}
    return {k: v for k, v in asdict(season).items() if k not in later or v != later[k]}
