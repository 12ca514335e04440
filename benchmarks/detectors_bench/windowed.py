"""Detectors of windows on a stream of values: learn the first rows, then judge every so many.

An alarm stands at the last value of its window. Whoever begins anew after it learns the rows behind it as the new
normal; whoever does not keeps its reference for ever, as a report tool does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from detectors_bench.streams import Values

Judge = Callable[[Values, int], bool]
"""Given a window and the row of the stream behind it: is it an alarm?"""


@dataclass(frozen=True, slots=True)
class Windowing:
    """``learn`` makes a judge of the first ``learnt_rows``; it is given windows of ``rows``."""

    rows: int
    learnt_rows: int
    learn: Callable[[Values], Judge]
    begin_anew: bool = True


def windowed(how: Windowing) -> Callable[[], Callable[[Values], Sequence[int]]]:
    """A contender, for each stream anew."""

    def make() -> Callable[[Values], Sequence[int]]:
        rest, behind, judge = np.empty(0), 0, None

        def watch(batch: Values) -> Sequence[int]:
            nonlocal rest, behind, judge
            first = behind + len(rest)
            rest = np.concatenate((rest, batch))
            alarms = []
            while len(rest) >= (rows := how.learnt_rows if judge is None else how.rows):
                window, rest = rest[:rows], rest[rows:]
                behind += rows
                if judge is None:
                    judge = how.learn(window)
                elif judge(window, behind):
                    alarms.append(behind - 1 - first)
                    judge = None if how.begin_anew else judge
            return alarms

        return watch

    return make
