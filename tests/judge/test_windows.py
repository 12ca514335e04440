"""Windows against an oracle: plain Python over the list of rows, which knows nothing of panes."""

from __future__ import annotations

import bisect
import math

import pytest
from driftloop.schemas.codec import encode
from driftloop.schemas.events import WindowMeasured
from driftloop.streams.judge import windows as judge_windows

from .scenes import (
    DAY,
    HOUR,
    MODEL,
    REFERENCE_ROWS,
    SPEC,
    START,
    Judge,
    Row,
    Shelf,
    baselines_of,
    feature_bins,
    floor,
    judged,
    make_rows,
    panes_of,
    streams_of,
)

EDGES = SPEC.delay_edges_seconds


def windows_of(events: list, **wanted: object) -> list[WindowMeasured]:
    found = [e for e in events if isinstance(e, WindowMeasured)]
    return [w for w in found if all(getattr(w, name) == value for name, value in wanted.items())]


def known_at(row: Row, as_of: float) -> tuple[bool, bool]:
    """(prediction, label) counted as of an instant: at the pane's end, and at its end + the delay's bucket edge."""
    end = floor(row.time, SPEC.pane_seconds) + SPEC.pane_seconds
    behind = math.ceil((row.time + row.behind) / HOUR) * HOUR if row.behind else -math.inf
    labelled = row.delay is not None and as_of >= max(behind, end + EDGES[bisect.bisect_left(EDGES, row.delay)])
    return as_of >= max(behind, end), labelled


def auc_of(pairs: list[tuple[float, int]]) -> float:
    positive, negative = [s for s, y in pairs if y], [s for s, y in pairs if not y]
    return sum((p > n) + 0.5 * (p == n) for p in positive for n in negative) / (len(positive) * len(negative))


def check(window: WindowMeasured, rows: list[Row]) -> None:
    """Every number of the window, as of its instant."""
    own = [
        row
        for row in rows
        if (row.version, row.role) == (window.version, window.role) and floor(row.time, DAY) == window.window_start
    ]
    predicted = [row for row in own if known_at(row, window.as_of)[0]]
    labelled = [row for row in own if known_at(row, window.as_of)[1]]
    assert (window.predictions, window.labelled) == (len(predicted), len(labelled))
    assert window.coverage == (len(labelled) / len(predicted) if predicted else None)
    if labelled:
        losses = [-math.log(r.score if r.label else 1 - r.score) for r in labelled]
        assert window.metrics["log_loss"].value == pytest.approx(sum(losses) / len(losses), abs=1e-12)
        assert window.metrics["brier"].value == pytest.approx(
            sum((r.score - r.label) ** 2 for r in labelled) / len(labelled), abs=1e-12
        )
        right = sum(int(r.score >= 0.5) == r.label for r in labelled)
        assert window.metrics["accuracy"].value == right / len(labelled)
        for estimate in window.metrics.values():
            assert estimate.low <= estimate.value <= estimate.high
    if len({r.label for r in labelled}) == 2:
        exact = auc_of([(r.score, r.label) for r in labelled])
        assert window.metrics["auc"].low <= exact <= window.metrics["auc"].high
        assert len(labelled) < 40 or window.metrics["auc"].value == pytest.approx(exact, abs=0.02)
    region = next((f for f in window.features if f.feature == "region"), None)
    if region is not None:
        assert region.count == len(predicted)
        assert region.missing == sum(r.region is None for r in predicted) / len(predicted)


def test_numbers_are_kept_of_windows_told_last_and_the_others_say_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several days wait for labels at a time; of two of them numbers are kept."""

    def told() -> tuple[list[bytes], int]:
        judge = Judge()
        judge.run(*streams_of(panes_of(make_rows(1, 12, late=0.2)), 3, START + 9 * DAY))
        windows = judge.fold.models[MODEL].ledger.windows.values()
        return [encode(event) for event in judge.events], sum(window.numbers is not None for window in windows)

    as_usual, kept_usually = told()
    monkeypatch.setattr(judge_windows, "NUMBERS_KEPT_MOST", 2)
    with_two, kept = told()
    assert with_two == as_usual
    assert kept == 2 < kept_usually


def test_every_window_of_every_closing_is_what_the_rows_say() -> None:
    rows = [
        *make_rows(1, 3, role="history"),
        *make_rows(2, 5, first_day=3, late=0.2),
        *make_rows(3, 3, first_day=8, version="v2", late=0.2),
        *make_rows(4, 2, first_day=8, per_day=30, version="v3", role="challenger"),
    ]
    events = judged(rows, days=16)
    told = windows_of(events)
    assert {w.role for w in told} == {"champion", "challenger"}, "history is not told"
    for window in told:
        check(window, rows)
    final = windows_of(events, closing="labels")
    with_data = {(w.window_start, w.version) for w in final}
    assert with_data == {(floor(r.time, DAY), r.version) for r in rows if r.role != "history"}, (
        "each window with data ends with a final closing"
    )
    for window in final:
        assert window.as_of >= window.window_start + DAY + SPEC.horizon_seconds
        assert window.expected_final_coverage == window.coverage


def test_a_window_is_told_at_its_end_at_each_delay_edge_and_at_the_horizon() -> None:
    told = windows_of(judged(make_rows(5, 1), days=5), window_start=START)
    end = START + DAY
    assert [(w.closing, w.as_of - end, w.revision) for w in told] == [
        ("features", 0.0, 0),
        ("provisional", 1 * HOUR, 1),
        ("provisional", 6 * HOUR, 2),
        ("provisional", 24 * HOUR, 3),
        ("labels", 48 * HOUR, 4),
    ]
    assert [w.labelled for w in told] == sorted(w.labelled for w in told)


def test_a_correction_behind_the_last_closing_tells_the_window_once_more() -> None:
    rows = make_rows(5, 1)
    straggler = Row(START + HOUR, 0.0, "north", 0.5, 1, 2 * DAY, behind=3 * DAY + HOUR)
    told = windows_of(judged([*rows, straggler], days=5), window_start=START)
    assert [(w.closing, w.revision) for w in told[-2:]] == [("labels", 4), ("labels", 5)]
    assert told[-1].predictions == told[-2].predictions + 1 == 81


def test_what_comes_when_a_window_is_forgotten_is_counted_and_changes_nothing() -> None:
    rows = [*make_rows(5, 1), *make_rows(6, 6, first_day=1)]
    straggler = Row(START + HOUR, 0.0, "north", 0.5, None, None, behind=5 * DAY)
    told = windows_of(judged([*rows, straggler], days=9))
    assert max(w.revision for w in told if w.window_start == START) == 4
    assert told[-1].totals["panes_too_late"] == 1
    assert told[-1].totals["predictions"] == len(rows)


def test_a_window_without_predictions_is_told_for_the_champion_as_unknown() -> None:
    rows = [*make_rows(1, 2), *make_rows(2, 1, first_day=4)]
    told = windows_of(judged(rows, days=8), closing="features")
    assert [(w.window_start - START) / DAY for w in told] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert [w.status for w in told] == ["OK", "OK", "UNKNOWN", "UNKNOWN", "OK", "UNKNOWN", "UNKNOWN", "UNKNOWN"]
    empty = told[2]
    assert (empty.predictions, empty.coverage, empty.status_reason) == (0, None, "no data")
    assert empty.version == "v1"


def test_after_a_hundred_empty_windows_the_clock_waits_for_the_next_prediction() -> None:
    rows = [*make_rows(1, 1), *make_rows(2, 1, first_day=400)]
    told = windows_of(judged(rows, days=402), closing="features")
    days = [(w.window_start - START) / DAY for w in told]
    assert days == [*range(101), 400, 401]


def test_totals_count_each_outcome_once_and_never_fall() -> None:
    rows = [
        *make_rows(1, 3, role="history"),
        *make_rows(2, 4, first_day=3, late=0.1),
        *make_rows(3, 4, first_day=3, role="challenger", version="v2"),
    ]
    told = windows_of(judged(rows, days=12))
    once = [r for r in rows if r.role != "challenger"]
    last = told[-1].totals
    assert last["predictions"] == len(once)
    assert last["labelled"] == sum(r.label is not None for r in once)
    assert last["labelled_history"] == sum(r.label is not None for r in rows if r.role == "history")
    assert last["predictions_challenger"] == sum(r.role == "challenger" for r in rows)
    series = [w.totals["labelled"] for w in told]
    assert series == sorted(series)
    for window in told:
        expected = sum(known_at(r, window.as_of)[1] for r in once)
        assert window.totals["labelled"] == expected


def test_expected_final_coverage_comes_from_the_measured_delays() -> None:
    events = judged(make_rows(1, 60, per_day=200), days=64)
    final = {w.window_start: w.coverage for w in windows_of(events, closing="labels")}
    errors = []
    for window in windows_of(events):
        if START + 10 * DAY <= window.window_start < START + 60 * DAY and window.closing != "labels":
            errors.append(window.expected_final_coverage - final[window.window_start])
            assert abs(errors[-1]) < 0.12, "four standard deviations of what 200 rows do by chance"
    assert abs(sum(errors) / len(errors)) < 0.01, "no bias"
    first = windows_of(events, window_start=START)[0]
    assert (first.expected_final_coverage, first.coverage > 0) == (None, True), "nothing has matured: not known"


def test_without_a_reference_a_window_is_unknown_and_without_enough_rows_too() -> None:
    told = windows_of(judged(make_rows(1, 1), days=2, shelf=Shelf(None)))
    assert (told[0].status, told[0].reference) == ("UNKNOWN", "")
    assert told[0].status_reason.startswith("no reference")
    assert (told[0].features, told[0].tests) == ((), ())
    few = windows_of(judged(make_rows(1, 1, per_day=10), days=2))
    assert (few[0].status, few[0].status_reason) == ("UNKNOWN", "10 predictions, fewer than 20")


def test_a_reference_of_other_bins_is_no_reference() -> None:
    shelf = Shelf(baselines_of(REFERENCE_ROWS, bins="0123456789abcdef"))
    assert windows_of(judged(make_rows(1, 1), days=2, shelf=shelf))[0].status == "UNKNOWN"


def test_offsets_say_which_source_records_stand_behind_a_window() -> None:
    rows = make_rows(1, 1)
    final = windows_of(judged(rows, days=4), closing="labels")[0]
    found = {(o.topic, o.partition): (o.first, o.last) for o in final.offsets}
    for partition in range(3):
        offsets = [r.offset for r in rows if r.partition == partition]
        assert found["predictions", partition] == (min(offsets), max(offsets))


def test_the_rows_own_bins_are_what_the_panes_hold() -> None:
    """The scene itself: all rows are in its panes, once."""
    rows = make_rows(1, 2, late=0.3)
    last = {(p.partition, p.pane_start, p.kind, p.bucket): p for p in panes_of(rows)}
    assert sum(p.counts["predictions"] for p in last.values() if p.kind == "features") == len(rows)
    income = [feature_bins(row)[0] for row in rows]
    counted = sum(sum(h.counts) for p in last.values() for h in p.histograms if h.name == "feature:income")
    assert counted == len(income)
