"""Embeddings through the judge: sums of panes into two distances from the reference, ranked window by window."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from driftloop.schemas.baseline.projection import Projection, named, norm_codes
from driftloop.schemas.baseline.reference import Baselines, build_reference
from driftloop.schemas.codec import encode
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import Bins, DriftDetected, Pane, WindowMeasured
from driftloop.schemas.monitor.season import Season
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.streams.judge.editions import edition_of
from driftloop.streams.judge.inputs import vector_watch

from .scenes import DAY, HOUR, START, Judge, Shelf, progress
from .test_any_interleaving import interleaved, told, with_crashes

WIDTH, ROWS, PARTITIONS = 6, 150, 2
PLAIN = MonitorSpecification(
    model="loans",
    task="binary",
    classes=("no", "yes"),
    features=(Feature("text", "f_text_6", "embedding", width=WIDTH),),
    horizon_seconds=DAY,
    pane_seconds=DAY / 2,
    window_seconds=DAY,
    budget_seconds=100 * DAY,
    minimum_rows=50,
)
Change = tuple[float, float]
"""What is added to all components; correlation of the first two."""


def vectors(rng: np.random.Generator, rows: int, change: Change = (0.0, 0.0)) -> np.ndarray:
    found = rng.normal(size=(rows, WIDTH))
    found[:, 1] = change[1] * found[:, 0] + (1 - change[1] ** 2) ** 0.5 * found[:, 1]
    return (2.0 + found + change[0]).astype(np.float32)


@cache
def reference() -> tuple[MonitorSpecification, Baselines, np.ndarray]:
    rows = vectors(np.random.default_rng(9), 4_000)
    times = START + np.arange(4_000.0)
    return (
        *build_reference(PLAIN, {"text": rows}, np.full(4_000, -1), score=np.full(4_000, 0.5), event_time=times),
        rows,
    )


def pane(spec: MonitorSpecification, start: float, partition: int, rows: np.ndarray) -> Pane:
    feature = spec.features[0]
    assert feature.basis is not None
    projection = Projection(WIDTH, feature.basis)
    projected = projection.project(rows)
    codes, counts = np.unique(norm_codes(projected.norms, feature.edges or ()), return_counts=True)
    end = start + spec.pane_seconds
    return Pane(
        *("loans", "v1", "champion", spec.spec, start, spec.pane_seconds, partition, "features", -1, end, 0, 0, 9),
        *(-1, -1, {"predictions": len(rows)}, named("text", projection.all_sums(projected))),
        histograms=(Bins("feature:text", tuple(codes.tolist()), tuple(counts.tolist())),),
    )


def streams(
    spec: MonitorSpecification, changes: Sequence[Change], seed: int = 1, rows: int = ROWS
) -> list[list[bytes]]:
    """Two partitions; a change a window."""
    rng = np.random.default_rng(seed)
    logs: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    panes = round(spec.window_seconds / spec.pane_seconds)
    for number, change in enumerate(changes):
        for k in range(panes):
            start = START + number * spec.window_seconds + k * spec.pane_seconds
            for partition, log in enumerate(logs):
                some = vectors(rng, max(1, rows // (panes * PARTITIONS)), change)
                log += [encode(pane(spec, start, partition, some))]
                log += [encode(progress(partition, PARTITIONS, start + spec.pane_seconds))]
    return logs


def judged(changes: Sequence[Change], spec: MonitorSpecification | None = None, **more: Any) -> list[Any]:
    found, baselines, _ = reference()
    spec = spec or found
    return Judge(Shelf(baselines, spec)).run(*streams(spec, changes, **more))


def alarms(events: Sequence[Any]) -> list[DriftDetected]:
    return [e for e in events if isinstance(e, DriftDetected) and e.detector in vector_watch.TESTS]


def states_of(events: Sequence[Any]) -> dict[str, Any]:
    return {test.name: test for test in [e for e in events if isinstance(e, WindowMeasured)][-1].tests}


QUIET: list[Change] = [(0.0, 0.0)] * 60


def test_quiet_vectors_raise_nothing_and_the_test_keeps_a_third_of_the_budget() -> None:
    events = judged(QUIET)
    assert alarms(events) == []
    tests = states_of(events)
    assert list(tests) == ["window_csr", "multivariate", "rff_mmd:text", "whitened_covariance:text"]
    assert tests["multivariate"].threshold == 3 * 100
    assert tests["window_csr"].threshold == 3 * 100 * 4 / 3  # a quarter of its part is that of the estimates
    assert tests["multivariate"].steps == 60
    parts = tests["rff_mmd:text"].statistic + tests["whitened_covariance:text"].statistic
    assert tests["multivariate"].statistic == pytest.approx(parts)


@pytest.mark.parametrize(
    ("change", "test", "unit", "size"),
    [((0.3, 0.0), "rff_mmd", "mmd", 0.16), ((0.0, 0.8), "whitened_covariance", "variance", 0.8)],
)
def test_a_move_is_found_by_one_and_a_correlation_by_the_other(
    change: Change, test: str, unit: str, size: float
) -> None:
    events = judged([*QUIET, *[change] * 12])
    first, *_ = alarms(events)
    assert (first.detector, first.feature, first.unit, first.paging) == (test, "text", unit, True)
    assert 60 <= (first.window_start - START) / DAY <= 66
    assert first.effect == pytest.approx(size, rel=0.5)
    window = next(e for e in events if isinstance(e, WindowMeasured) and e.window_start == first.window_start)
    assert (window.status, window.status_reason) == ("DRIFT", "drift of text")


def test_the_distances_are_those_of_the_rows() -> None:
    """From the rows by numpy, without steps of 2^-12 and tables: the same to a thousandth."""
    spec, baselines, rows = reference()
    layout, basis = edition_of(spec).layout, spec.features[0].basis
    now = vectors(np.random.default_rng(3), 500, (0.4, 0.5))
    sums = pane(spec, START, 0, now)
    assert basis is not None
    known = {name: float(value) for name, value in baselines.sums.items()}
    counts = np.zeros(layout.sizes["features"], np.int64)
    counts[: spec.features[0].bins] = np.bincount(
        np.repeat(sums.histograms[0].bins, sums.histograms[0].counts), minlength=spec.features[0].bins
    )
    fake: Any = type("R", (), {"sums": known, "features": baselines.features})
    seen = vector_watch.see(layout, fake, counts, layout.vectors.whole(sums.sums))

    from driftloop.schemas.baseline.basis import directions, seeded

    w = seeded("frequencies", WIDTH, 64) / basis.bandwidth
    waves = [np.concatenate([np.cos(x @ w).mean(0), np.sin(x @ w).mean(0)]) for x in (rows.astype(float), now)]
    chance = (1 / 500 + 1 / 4_000) * (1 - waves[0] @ waves[0] / 64)
    exact = ((waves[1] - waves[0]) ** 2).sum() / 64 - chance
    assert seen["rff_mmd", "text"].score == pytest.approx(exact, rel=1e-2)
    z = [(x / basis.scale) @ directions(WIDTH) @ np.array(basis.whitening).T for x in (rows.astype(float), now)]
    first, second = (np.cov(x.T, bias=True) for x in z)
    taken = (1 / 500 + 1 / 4_000) * (np.trace(first) ** 2 + (first**2).sum())
    exact = (((second - first) ** 2).sum() - taken) / WIDTH
    assert seen["whitened_covariance", "text"].score == pytest.approx(exact, rel=1e-2)


def test_any_interleaving_and_crash_tells_the_same() -> None:
    spec, baselines, _ = reference()
    log = streams(spec, [*QUIET[:8], *[(2.0, 0.0)] * 3], rows=40)
    whole = Judge(Shelf(baselines, spec))
    whole.run([record for stream in log for record in stream])
    assert states_of(whole.events)["multivariate"].steps == 5, "two windows of 40 rows are joined"
    for seed in range(3):
        rng = random.Random(seed)
        judge = with_crashes(rng, interleaved(rng, log), Judge(Shelf(baselines, spec)))
        assert told(judge) == told(whole)
        assert judge.state == whole.state


def test_where_there_is_a_season_of_hours_whole_days_are_compared() -> None:
    """Vectors that move by a standard deviation every afternoon are no drift."""
    spec, baselines, _ = reference()
    hours = replace(spec, pane_seconds=6 * HOUR, window_seconds=6 * HOUR, season=Season())
    cycle: list[Change] = [(0.0, 0.0), (0.0, 0.0), (1.0, 0.0), (0.0, 0.0)] * 30
    events = Judge(Shelf(baselines, hours)).run(*streams(hours, cycle, rows=60))
    assert alarms(events) == []
    test = states_of(events)["multivariate"]
    assert (test.steps, test.threshold) == (30, 300)


def test_sums_that_no_vectors_have_are_a_bad_record() -> None:
    spec, _, _ = reference()
    good = pane(spec, START, 0, vectors(np.random.default_rng(1), 10))
    layout = edition_of(spec).layout
    layout.check(good)
    with pytest.raises(BadRecord, match="cos:text:0 = 1e") as caught:
        layout.check(replace(good, sums=good.sums | {"cos:text:0": 1e300}))
    assert caught.value.reason == "wrong-sums"
