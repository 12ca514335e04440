"""Label delay told honestly: expected final coverage, how sure it is, and how far each class has come."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from driftloop.schemas.codec import encode
from driftloop.schemas.events import WindowMeasured
from driftloop.streams.judge.labels.forecasts import Errors, forecast

from .scenes import DAY, HOUR, START, Judge, Row, judged, make_rows, panes_of, streams_of
from .test_windows import EDGES, known_at, windows_of

DAYS = 45


def rows_with_late_days(seed: int, per_day: int = 40) -> list[Row]:
    """Every fourth day or so most labels come in the last bucket, and positives later than negatives."""
    rng = random.Random(seed)
    rows = []
    for day in range(DAYS):
        late = 0.7 if rng.random() < 0.25 else 0.1
        for row in make_rows(seed * 1000 + day, 1, per_day=per_day, first_day=day):
            slow = rng.random() < late + 0.25 * (row.label or 0)
            rows.append(replace(row, delay=row.delay and (40.0 if slow else 3.0) * HOUR))
    return rows


def test_the_interval_of_the_final_coverage_holds_it_as_often_as_it_says() -> None:
    """Days differ far more than chance: a binomial interval would miss most of the late ones."""
    held, binomial, widths, told = [], [], [], []
    for seed in (1, 2):
        events = judged(rows_with_late_days(seed), days=DAYS + 3)
        final = {w.window_start: w.coverage for w in windows_of(events, closing="labels")}
        for window in windows_of(events):
            if window.predictions and window.closing != "labels" and window.window_start >= START + 14 * DAY:
                low, high = window.expected_final_coverage_low, window.expected_final_coverage_high
                assert low is not None and high is not None
                assert 0.0 <= low <= window.expected_final_coverage <= high <= 1.0
                truth = final[window.window_start]
                held.append(low <= truth <= high)
                widths.append(high - low)
                made = forecast(window.expected_final_coverage, window.labelled, window.predictions)
                binomial.append(abs(truth - made.value) <= 1.96 * made.chance**0.5)
                told.append(window)
    assert 0.93 <= np.mean(held) <= 1.0, f"{np.mean(held):.3f} of {len(held)}"
    assert np.mean(binomial) < np.mean(held) - 0.02, "chance alone is not enough"
    assert np.mean(widths) < 0.65, "and it says something"


def test_an_interval_is_told_once_five_windows_have_ended_and_the_final_one_is_a_point() -> None:
    events = judged(make_rows(1, 12, per_day=100), days=15)
    for window in windows_of(events):
        if not window.predictions:
            continue
        known = window.expected_final_coverage_low is not None
        ended = sum(w.as_of < window.as_of for w in windows_of(events, closing="labels") if w.revision == len(EDGES))
        if window.closing == "labels":
            assert window.expected_final_coverage_low == window.coverage == window.expected_final_coverage_high
        elif known:
            assert ended >= 4
        else:
            assert ended <= 5 + 3, "the first three were not forecast: nothing had matured"


def test_each_class_says_how_far_its_labels_have_come() -> None:
    rows = rows_with_late_days(5)
    events = judged(rows, days=DAYS + 3)
    shares: dict[int, list[float]] = {0: [], 1: []}
    for window in windows_of(events):
        if not window.predictions:
            continue
        own = [r for r in rows if window.window_start <= r.time < window.window_start + DAY]
        assert [d.label for d in window.label_delays] == ["repaid", "default"]
        for code, delay in enumerate(window.label_delays):
            of_class = [r for r in own if r.label == code]
            assert delay.labelled == sum(known_at(r, window.as_of)[1] for r in of_class)
            if window.closing == "labels":
                assert delay.share_known == pytest.approx(1.0)
            elif window.as_of == window.window_start + DAY + EDGES[1] and window.window_start >= START + 20 * DAY:
                assert delay.share_known is not None
                shares[code].append(delay.share_known - delay.labelled / len(of_class))
    assert len(shares[0]) == DAYS - 20
    for code, errors in shares.items():
        assert abs(np.mean(errors)) < 0.08, (code, np.mean(errors))
    halfway = [w for w in windows_of(events) if w.as_of == w.window_start + DAY + EDGES[1]][-1]
    repaid, default = halfway.label_delays
    assert repaid.share_known > default.share_known + 0.15, "defaults are known later"


def test_restarts_change_nothing_of_it() -> None:
    streams = streams_of(panes_of(rows_with_late_days(4, per_day=10)[:200]), 3, START + 24 * DAY)
    whole, broken = Judge(), Judge()
    whole.run(*streams)
    for stream in streams:
        for at in range(0, len(stream), 25):
            broken.absorb(stream[at : at + 25])
            broken.checkpoint()
            broken.crash()
    assert [encode(e) for e in broken.events] == [encode(e) for e in whole.events]
    assert any(w.expected_final_coverage_low is not None for w in whole.events if isinstance(w, WindowMeasured))


def test_errors_beyond_chance_are_what_was_drawn() -> None:
    """400 windows of 500 rows, whose share of labels to come varies by .1 from window to window."""
    rng = np.random.default_rng(1)
    errors, held = Errors(), 0
    for window in range(400):
        share = float(np.clip(rng.normal(0.5, 0.1), 0, 1))
        final = rng.binomial(500, share) / 500
        made = forecast(0.5, 0, 500)
        assert made.chance == pytest.approx(0.25 / 500)
        known = errors.interval(0, made)
        assert (known is None) == (window < 5)
        held += known is not None and known[0] <= final <= known[1]
        errors.learn(DAY, {0: made}, final)
    assert (errors.beyond[0] / errors.windows[0]) ** 0.5 == pytest.approx(0.1, abs=0.02)
    assert held / 395 >= 0.95


def test_nothing_is_left_to_chance_when_every_label_is_in() -> None:
    assert forecast(1.0, 50, 50) == (1.0, 0.0)
    assert forecast(0.5, 50, 100) == (0.5, 0.0), "as many labels as there will ever be"
