"""Window CSR over raw numbers: the form for values that depend on their neighbours.

Of every 64 values mean and standard deviation are told; the first ten windows give the normal of both, and the
distance from it is the score that window_csr.py ranks. Windows far longer than the memory of the stream are as good
as exchangeable, so the bound is A windows: 50,000 values, as that of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from driftloop.detectors import window_csr
from driftloop.detectors.window_csr import Scores, Settings, uniform_of

from detectors_bench.streams import Values

ROWS = 64
NORMAL_WINDOWS = 10
SETTINGS = Settings(features=2, threshold=50_000 / ROWS)


class _Windows:
    """What one stream has come to."""

    def __init__(self) -> None:
        self.rest: Values = np.empty(0)
        self.number = 0
        self.begin()

    def begin(self) -> None:
        self.normal: list[Values] = []
        self.state = window_csr.start(SETTINGS)

    def take(self, window: Values) -> bool:
        """Whether it alarms at this window."""
        self.number += 1
        told = np.array([window.mean(), np.log(window.std() + 1e-12)])
        if len(self.normal) < NORMAL_WINDOWS:
            self.normal.append(told)
            return False
        scores = np.abs(told - np.mean(self.normal, axis=0))
        uniforms = [uniform_of("windowed", feature, self.number) for feature in range(2)]
        self.state, verdict = window_csr.step(SETTINGS, self.state, Scores(scores.tolist(), uniforms))
        if verdict.alarmed:
            self.begin()
        return verdict.alarmed


def windowed() -> Callable[[Values], Sequence[int]]:
    """An alarm stands at the last value of its window."""
    windows = _Windows()

    def watch(batch: Values) -> Sequence[int]:
        carried = len(windows.rest)
        values = np.concatenate((windows.rest, batch))
        whole = len(values) // ROWS
        windows.rest = values[whole * ROWS :]
        ends = (np.arange(whole) + 1) * ROWS - 1 - carried
        taken = [windows.take(window) for window in values[: whole * ROWS].reshape(whole, ROWS)]
        return [int(end) for end, alarmed in zip(ends, taken, strict=True) if alarmed]

    return watch
