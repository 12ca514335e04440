"""ADWIN, DDM, EDDM, Page–Hinkley, HDDM and KSWIN: river's alarms and warnings, index for index, however it is cut.

A few streams of each here; hundreds by ``make equal-to-river`` (TIMES: so many times as many, three times as long).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from driftloop.detectors import DETECTORS
from driftloop.detectors.classical import adwin
from river import drift
from river.drift import binary

Values = np.ndarray
TIMES = int(os.environ.get("TIMES", "1"))
RATES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0)


@dataclass(frozen=True)
class Pair:
    """Ours, river's, and with what parameters."""

    name: str
    original: Callable[..., Any]
    parameters: dict[str, Any]
    streams: int = 5
    longest: int = 3_000
    bits_only: bool = True


PAIRS = [
    Pair("ddm", binary.DDM, {}),
    Pair("ddm", binary.DDM, {"warm_start": 10, "warning_threshold": 1.0, "drift_threshold": 2.0}),
    Pair("eddm", binary.EDDM, {}),
    Pair("eddm", binary.EDDM, {"warm_start": 5, "alpha": 0.8, "beta": 0.75}),
    Pair("page_hinkley", drift.PageHinkley, {}, bits_only=False),
    Pair("page_hinkley", drift.PageHinkley, {"threshold": 5, "delta": 0.05, "mode": "up"}, bits_only=False),
    Pair("page_hinkley", drift.PageHinkley, {"threshold": 1, "min_instances": 5, "mode": "down"}, 4, 900, False),
    Pair("hddm_a", binary.HDDMA, {"two_sided_test": True}, 4),
    Pair("hddm_a", binary.HDDMA, {}, 4),
    Pair("hddm_w", binary.HDDMW, {"two_sided_test": True}, 4),
    Pair("hddm_w", binary.HDDMW, {"lambda_val": 0.01, "drift_confidence": 0.01}, 4, 2_000, False),
    Pair("adwin", drift.ADWIN, {}, bits_only=False),
    Pair("adwin", drift.ADWIN, {"clock": 1, "delta": 0.05}, 4, 900, False),
    Pair("adwin", drift.ADWIN, {"max_buckets": 3, "clock": 7, "min_window_length": 2}, 4, bits_only=False),
    Pair("kswin", drift.KSWIN, {"seed": 7}, 3, 400, False),
    Pair("kswin", drift.KSWIN, {"seed": 42, "alpha": 1e-4, "window_size": 160, "stat_size": 80}, 2, 400, False),
]


def pieces(rng: np.random.Generator, longest: int, bits: bool) -> Values:
    """200 values to ``longest``, of a piecewise constant distribution."""
    length = int(np.exp(rng.uniform(np.log(200), np.log(longest))))
    parts, left = [], length
    while left > 0:
        n = min(left, int(rng.integers(50, max(60, length))))
        normal = rng.normal(rng.choice((0.0, 0.5, -1.0, 5.0)), rng.choice((0.1, 1.0, 3.0)), n)
        parts.append(rng.binomial(1, rng.choice(RATES), n).astype(float) if bits else normal)
        left -= n
    return np.concatenate(parts)


def streams(pair: Pair) -> Iterator[tuple[np.random.Generator, Values]]:
    rng = np.random.default_rng(list(repr(pair.parameters).encode()))
    for number in range(pair.streams * TIMES):
        yield rng, pieces(rng, pair.longest * (1 if TIMES == 1 else 3), pair.bits_only or number % 2 == 0)


def of_river(original: Any, values: Values) -> tuple[list[int], list[int]]:
    alarms, warnings = [], []
    for i, value in enumerate(values.tolist()):
        original.update(value)
        if original.drift_detected:
            alarms.append(i)
        if getattr(original, "warning_detected", False):
            warnings.append(i)
    return alarms, warnings


def cuts(rng: np.random.Generator, n: int, single: bool) -> Iterator[list[int]]:
    """At random, at every 64th and 1,024th value, nowhere, and, if so asked, everywhere."""
    inner = np.sort(rng.choice(n, min(n, int(rng.integers(1, 40))), replace=False)).tolist()
    yield [0, *inner, n]
    yield [0, n]
    yield [*range(0, n, 64), n]
    yield [*range(0, n, 1024), n]
    if single:
        yield list(range(n + 1))


def ours(pair: Pair, values: Values, places: list[int]) -> tuple[list[int], list[int], bytes]:
    """In batches; every other state goes through bytes."""
    detector = DETECTORS[pair.name]
    settings = detector.settings(**pair.parameters)
    assert detector.scan is not None
    state, alarms, warnings = detector.start(settings), [], []
    for number, (first, last) in enumerate(pairwise(places)):
        state = detector.from_bytes(detector.to_bytes(state)) if number % 2 else state
        state, found = detector.scan(settings, state, values[first:last])
        alarms += (found.alarms + first).tolist()
        warnings += (found.warnings + first).tolist()
    return alarms, warnings, detector.to_bytes(state)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: " ".join([p.name, *map(str, p.parameters.values())]))
def test_alarms_and_warnings_are_rivers_however_the_stream_is_cut(pair: Pair) -> None:
    drifts = 0
    for number, (rng, values) in enumerate(streams(pair)):
        expected = of_river(pair.original(**pair.parameters), values)
        drifts += len(expected[0])
        states = set()
        for places in cuts(rng, len(values), single=number % 8 == 0 and len(values) < 600):
            alarms, warnings, data = ours(pair, values, places)
            assert (alarms, warnings) == expected
            states.add(data)
        assert len(states) == 1, "the bytes of the state do not tell where the stream was cut"
    assert drifts >= 1, "the streams have drifts to be found"


def test_adwin_holds_the_window_that_river_holds_right_after_an_alarm_too() -> None:
    rng = np.random.default_rng(8)
    alarmed = 0
    for number in range(12):
        values = pieces(rng, 2_000, bits=number % 2 == 0)
        original, settings = drift.ADWIN(delta=0.05, clock=4), adwin.Settings(delta=0.05, clock=4)
        alarms, _ = of_river(original, values)
        stop = alarms[-1] + 1 if alarms and number % 3 else len(values)
        alarmed += stop < len(values)
        original = drift.ADWIN(delta=0.05, clock=4)
        of_river(original, values[:stop])
        state, _ = adwin.scan(settings, adwin.start(settings), values[:stop])
        memory = state.memory
        assert (memory.seen, memory.total, memory.squares) == (original.width, original.total, original.variance)
        assert adwin.estimate(state) == pytest.approx(original.estimation, rel=1e-12)
    assert alarmed >= 4
