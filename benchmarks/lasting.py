"""Is a lasting shift one incident, or one each weekend? The eight weeks after it, on streams whose week has a shape.

    python benchmarks/lasting.py [--seeds N] [--only kind,…] [--json FILE]

Of each kind of shift: incidents a stream (the most of one), how many of the last four weeks, and the share of next
shifts, the same again and back to the old level, that are found within a day, by when they come: on the first
Saturday, the first Sunday, the Tuesday after, the second Saturday. One numeric feature shifts, by half an sd where it
is its mean; `some days`: the mean, Monday to Friday only.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from budget_run import WEEK_HOURS, Row, Watch
from budget_shifts import SHIFTS, Shift
from budget_streams import SCENARIOS, Drawn, Stream
from driftloop.detectors.seasonal import core
from driftloop.detectors.seasonal.incidents import CALM, OPENED, REANCHORED

WEEKS, REFERENCE_WEEKS = 8, 4
STARTS = {"Wednesday noon": 60, "Friday at four": 100}
TRIALS = ((0, 128), (0, 144), (1, 33), (1, 134))
"""(week, hour of it)."""
_C = next(s for s in SCENARIOS if s.name == "c")
STREAMS = (
    replace(_C, what="weekends .4 sd off", holidays_a_year=0),
    replace(_C, what="weekends .7 sd off", holidays_a_year=0, weekend=0.7),
    replace(_C, what="weekends .7 sd off, no daily cycle", holidays_a_year=0, weekend=0.7, day=0.0),
)


def _mean(size: float) -> Shift:
    def shift(stream: Stream, drawn: Drawn, rng: np.random.Generator) -> Drawn:
        moved = np.zeros((stream.seeds, 1, stream.scenario.numeric))
        moved[np.arange(stream.seeds), 0, rng.integers(0, stream.scenario.numeric, stream.seeds)] = size
        return replace(drawn, mean=drawn.mean + moved)

    return shift


def _on_weekdays(stream: Stream, drawn: Drawn, rng: np.random.Generator) -> Drawn:
    weekday = (np.arange(drawn.mean.shape[1]) // 24 < 5)[None, :, None]
    return replace(drawn, mean=np.where(weekday, _mean(0.5)(stream, drawn, rng).mean, drawn.mean))


KINDS: dict[str, tuple[Shift, Shift | None]] = {
    "mean": (_mean(0.5), _mean(1.0)),
    "small mean": (_mean(0.2), _mean(0.4)),
    "sd": (SHIFTS["sd_one"], None),
    "mix": (SHIFTS["mix"], None),
    "some days": (_on_weekdays, None),
}
"""What lasts, and twice as much of it."""


class Run:
    """One stream, one kind of shift: the weeks after it."""

    def __init__(self, row: Row, kind: str, start: int) -> None:
        self.watch, self.row, self.start = Watch(row), row, start
        self.lasts, self.twice = KINDS[kind]
        self.opened = np.zeros((row.seeds, WEEKS))
        self.taken_over = np.zeros(row.seeds)
        self.found: dict[str, list[float]] = {"again": [], "back": []}

    def weeks(self) -> Run:
        live = core.begin(self.watch.plan, self.watch.baseline)
        for week in range(WEEKS):
            hour = (REFERENCE_WEEKS + week) * WEEK_HOURS
            drawn = self.watch.stream.stretch(hour, WEEK_HOURS)
            before, after = self.watch.stream.counts(drawn), self._counts(drawn, self.lasts)
            for t in range(WEEK_HOURS):
                if (week, t) in TRIALS:
                    self._try("back", live, hour, t, lambda before=before: before)
                    if self.twice:
                        self._try("again", live, hour, t, lambda drawn=drawn: self._counts(drawn, self.twice))
                shifted = week > 0 or t >= self.start
                live, outcome = self.watch.step(live, hour, t, (after if shifted else before)[:, t])
                self.opened[:, week] += (outcome.change == OPENED) & shifted
                self.taken_over += outcome.change == REANCHORED
        return self

    def _counts(self, drawn: Drawn, shift: Shift) -> np.ndarray:
        """The same feature every week."""
        return self.watch.stream.counts(shift(self.watch.stream, drawn, np.random.default_rng(self.row.seed)))

    def _try(self, kind: str, live: core.Live, hour: int, t: int, counts: Callable[[], np.ndarray]) -> None:
        calm, of_week = live.incidents.state == CALM, counts()
        found = np.zeros(self.row.seeds, np.bool_)
        for ahead in range(t, min(t + 24, WEEK_HOURS)):
            live, outcome = self.watch.step(live, hour, ahead, of_week[:, ahead])
            found |= outcome.change == OPENED
        self.found[kind].append(float(found[calm].mean()) if calm.any() else float("nan"))


def told(run: Run, kind: str, when: str) -> dict[str, Any]:
    one = {
        "stream": run.row.scenario.what,
        "kind": kind,
        "start": when,
        "seeds": run.row.seeds,
        "incidents": round(float(run.opened.sum(1).mean()), 2),
        "most": int(run.opened.sum(1).max()),
        "last_4_weeks": round(float(run.opened[:, 4:].sum(1).mean()), 2),
        "taken_over": round(float(run.taken_over.mean()), 2),
        "found": {name: [round(share, 2) for share in shares] for name, shares in run.found.items() if shares},
    }
    print("  ".join(f"{value}" for value in one.values()), flush=True)
    return one


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="streams a row")
    parser.add_argument(
        "--only", default=",".join(KINDS), help="kinds of shift, comma-separated: " + ", ".join(KINDS)
    )
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if unknown := set(asked.only.split(",")) - set(KINDS):
        parser.error(f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    found = []
    for scenario in STREAMS:
        for kind in asked.only.split(","):
            for when, start in STARTS.items():
                row = Row(scenario, seeds=asked.seeds, reference_weeks=REFERENCE_WEEKS)
                found.append(told(Run(row, kind, start).weeks(), kind, when))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
