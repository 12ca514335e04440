"""What a window says of itself before its labels are there; what labels then make of it."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from driftloop.console.reference_calibration import learn_calibration
from driftloop.console.reference_rows import ReferenceRows
from driftloop.schemas.baseline.calibration import CalibrationBaseline
from driftloop.schemas.baseline.reference import Baselines
from driftloop.schemas.bins import score_codes
from driftloop.schemas.events import DriftDetected, IncidentChanged, WindowMeasured
from driftloop.streams.judge.editions import edition_of
from driftloop.streams.judge.incidents import incidents
from driftloop.streams.judge.incidents.performance import Expected, MaturedPane, Performance
from driftloop.streams.judge.labels import estimates
from driftloop.streams.judge.labels.estimate_watch import EstimateWatch
from driftloop.streams.judge.reference import LossBaseline, Reference
from driftloop.streams.judge.state import Group
from driftloop.streams.judge.sums import PaneSums
from driftloop.streams.judge.windows import Window
from sklearn.isotonic import IsotonicRegression

from .scenes import DAY, LOSS_EDGES, SPEC, START, Judge, Row, Shelf, baselines_of, make_rows, panes_of, streams_of

PER_DAY = 300
REFERENCE = tuple(make_rows(seed=5, days=30, per_day=200))


def learned(rows: tuple[Row, ...]) -> CalibrationBaseline | None:
    return learn_calibration(
        SPEC,
        ReferenceRows(
            columns={},
            labels=np.array([-1 if row.label is None else row.label for row in rows]),
            score=np.array([row.score for row in rows]),
            event_time=np.array([row.time for row in rows]),
            predicted=np.array([int(row.score >= 0.5) for row in rows], np.int8),
            offsets=(),
            version=np.array([row.version for row in rows], object),
        ),
    )


@cache
def reference() -> Baselines:
    return baselines_of(REFERENCE, calibration=learned(REFERENCE))


def told_of(rows: list[Row], days: float, baselines: Baselines | None = None) -> list[Any]:
    judge = Judge(Shelf(baselines or reference()))
    return judge.run(*streams_of(panes_of(rows), 3, START + days * DAY))


def windows(told: list[Any], closing: str = "features") -> list[WindowMeasured]:
    return [e for e in told if isinstance(e, WindowMeasured) and e.closing == closing and e.predictions]


def alarms(told: list[Any]) -> list[DriftDetected]:
    return [e for e in told if isinstance(e, DriftDetected) and e.detector == "cbpe"]


def test_a_window_without_a_label_tells_what_row_by_row_calibration_says_and_its_labels_bear_it_out() -> None:
    """The oracle: scikit-learn's isotonic regression on the reference's rows, summed over the window's."""
    rows = make_rows(1, 12, per_day=PER_DAY)
    told = told_of(rows, 16)
    labelled = [row for row in REFERENCE if row.label is not None]
    curve = IsotonicRegression(out_of_bounds="clip").fit([r.score for r in labelled], [r.label for r in labelled])
    final = {w.window_start: w for w in windows(told, "labels")}
    held = []
    for window in windows(told):
        assert window.labelled < window.predictions * 0.5, "most labels are still to come"
        own = [r for r in rows if window.window_start <= r.time < window.window_start + DAY]
        score = np.array([r.score for r in own])
        p = curve.predict(score)
        right = np.where(score >= 0.5, p, 1 - p).mean()
        found = window.estimated["accuracy"]
        assert found.value == pytest.approx(right, abs=0.002)
        assert found.count == window.predictions
        assert sorted(window.estimated) == [
            *("accuracy", "auc", "balanced_accuracy", "brier", "f1", "log_loss", "precision", "recall")
        ]
        assert window.estimate_reason == ""
        truth = final[window.window_start].metrics
        held += [e.low <= truth[name].value <= e.high for name, e in window.estimated.items()]
    assert len(held) == 12 * 8
    assert np.mean(held) > 0.85
    assert alarms(told) == []


def test_inputs_that_are_harder_to_judge_are_an_alarm_before_any_label_says_so() -> None:
    """Incomes near the middle: the model is as right as it says, and it says less. Its calibration stands."""
    told = told_of([*make_rows(1, 10, per_day=100), *make_rows(2, 6, per_day=100, first_day=10, spread=0.4)], 19)
    first = alarms(told)[0]
    assert first.window_start >= START + 10 * DAY
    assert first.as_of <= START + 15 * DAY
    assert first.feature in ("estimated_accuracy", "estimated_auc")
    assert (first.unit, first.paging) == ("share", True)
    hard = [w for w in windows(told, "labels") if w.window_start >= START + 10 * DAY]
    usual = [w for w in windows(told, "labels") if w.window_start < START + 10 * DAY]
    fallen = np.mean([w.metrics["auc"].value for w in usual]) - np.mean([w.metrics["auc"].value for w in hard])
    estimated = [w.estimated["auc"].value for w in hard]
    assert np.mean([w.metrics["auc"].value for w in hard]) == pytest.approx(np.mean(estimated), abs=0.05)
    assert fallen > 0.1
    assert {w.estimate_reason for w in windows(told)} == {""}
    at = next(w for w in windows(told) if w.window_start == first.window_start)
    assert at.status == "DRIFT"
    (opened, *others) = [e for e in told if isinstance(e, IncidentChanged)]
    assert {e.incident for e in others} == {opened.incident}, "the loss and what is expected of it are one incident"
    assert {"cbpe", "e_detector"} <= {a.detector for a in others[-1].evidence}


def test_a_fall_that_no_label_has_confirmed_is_an_incident_nobody_retrains_on_until_the_estimate_is_back() -> None:
    hard = make_rows(2, 8, per_day=100, first_day=10, spread=0.4)
    later = [*hard, *make_rows(3, 5, per_day=100, first_day=18)]
    told = told_of([*make_rows(1, 10, per_day=100), *(replace(r, label=None, delay=None) for r in later)], 24)
    first = alarms(told)[0]
    opened, *others = [e for e in told if isinstance(e, IncidentChanged) and e.kind == "performance"]
    assert (opened.kind, opened.change, opened.as_of) == ("performance", "opened", first.as_of)
    figure = first.feature.removeprefix("estimated_")
    assert opened.summary.startswith(f"before labels are in, of v1 is expected: {figure} {first.effect:.4f} lower")
    assert {a.detector for a in opened.evidence} == {"cbpe"}
    assert {o.topic for o in opened.offsets} >= {"predictions"}
    assert [(s.kind, s.weight) for s in opened.suspects] == [("covariate", 1.0)], "scores are all it knows"
    resolved = others[-1]
    assert (resolved.change, resolved.incident) == ("resolved", opened.incident)
    assert START + 19 * DAY <= resolved.as_of <= START + 21 * DAY
    assert resolved.summary.startswith("back to normal: what is expected is ")
    assert [w for w in windows(told) if w.open_incidents] == [], "no fit before labels say so"
    inside = [w for w in windows(told) if opened.as_of < w.as_of < resolved.as_of]
    assert {w.status for w in inside} == {"DRIFT"}


FALL = DriftDetected(
    "loans", "v1", SPEC.spec, START + DAY, START, DAY, "cbpe", "estimated_auc", 9.0, 8.0, 0.1, "share", True
)
LOSS = replace(FALL, detector="e_detector", feature="log_loss", effect=0.2, unit="nats", as_of=START + 3 * DAY)


def said(
    watch: Performance, day: float, fall: DriftDetected | None, fallen: float | None = None, reason: str = ""
) -> list:
    alarms = () if fall is None else (replace(fall, as_of=START + day * DAY),)
    return watch.expect(SPEC, Expected("v1", START + day * DAY, alarms, fallen, reason, lambda _: ()), (LOSS,))


def test_an_estimate_that_is_withdrawn_ends_what_it_has_opened_and_nothing_that_labels_have_confirmed() -> None:
    watch = Performance()
    assert said(watch, 1, replace(FALL, paging=False)) == [], "below the floor"
    assert [e.change for e in said(watch, 1, FALL)] == ["opened"]
    assert watch.open == (), "labels have not confirmed it, and the loss of another incident says nothing of this one"
    assert [e.change for e in said(watch, 2, FALL)] == ["updated"]
    (gone,) = said(watch, 3, None, None, "estimate withdrawn: AUC was estimated at 0.7, labels say 0.9")
    assert (gone.change, gone.summary) == (
        "resolved",
        "what was expected is taken back: estimate withdrawn: AUC was estimated at 0.7, labels say 0.9",
    )
    assert said(watch, 4, None, None, "estimate withdrawn: …") == []

    said(watch, 5, FALL)
    watch.incident, change = incidents.alarm(watch.incident, replace(LOSS, as_of=START + 6 * DAY), (), 0.0)
    assert (change, watch.open) == ("updated", (watch.incident.identity,))
    assert said(watch, 6, FALL) == said(watch, 9, None, 0.0) == said(watch, 9, None, None, "withdrawn") == []


def test_what_is_expected_ends_once_it_is_back_for_two_windows() -> None:
    watch = Performance()
    said(watch, 1, FALL)
    assert said(watch, 2, None, 0.0) == [], "one window is no habit"
    assert said(watch, 3, None, 0.02) == [], "above the floor of .01"
    assert [e.change for e in said(watch, 4, None, 0.009)] == ["resolved"]


def test_labels_of_its_own_time_end_it_before_the_estimate_does() -> None:
    watch, known = Performance(), Reference("r", {}, LossBaseline(0.5, 0.52, 1.0))
    said(watch, 1, FALL)

    def mature(day: float, as_of: float) -> list:
        losses = np.zeros(512, np.int64)
        losses[np.searchsorted(LOSS_EDGES, 0.5, side="right")] = 30
        pane = MaturedPane("v1", START + day * DAY, losses, 15.0, START + as_of * DAY, lambda _: ())
        return watch.mature(SPEC, known, pane, ())

    assert mature(-1, 4) == [], "predicted before the fall: it says nothing"
    assert [e.change for e in mature(0, 4)] == ["resolved"]


def test_the_traffic_of_a_window_does_not_alarm_and_a_narrower_spread_does() -> None:
    known = learned(REFERENCE)
    stands = Reference("r", {}, None, calibration=known)

    def alarmed_at(seed: int, days: int, narrow_from: int, rows: tuple[int, int]) -> list[int]:
        rng, watch, found = np.random.default_rng(seed), EstimateWatch(), []
        for day in range(days):
            spread = 1.5 * (0.8 if day >= narrow_from else 1.0)
            score = 1 / (1 + np.exp(-spread * rng.normal(size=rng.integers(*rows))))
            pane = PaneSums.empty(edition.layout)
            edition.layout.read("features", pane.features, "score")[:] = np.bincount(score_codes(score), minlength=64)
            window = Window(Group("v1", "champion", SPEC.spec), START + day * DAY, {0.0: pane})
            found += [day] * bool(watch.close(edition, "v1", stands, window.start, [window]))
        return found

    edition = edition_of(SPEC)
    quiet = [alarmed_at(seed, 50, 99, (40, 400)) for seed in range(12)]
    assert sum(map(len, quiet)) <= 2, "the bound allows 600 / 400; the reference's windows have 200 rows"
    found = [alarmed_at(seed, 25, 5, (300, 301)) for seed in range(8)]
    assert all(days and days[0] >= 5 for days in found)
    assert np.median([days[0] - 4 for days in found]) <= 6


def test_under_concept_drift_the_estimate_is_withdrawn_with_numbers_and_alarms_no_more() -> None:
    rows = [*make_rows(1, 10, per_day=PER_DAY), *make_rows(2, 16, per_day=PER_DAY, first_day=10, flip=0.3)]
    harder = make_rows(3, 8, per_day=PER_DAY, first_day=26, flip=0.3, spread=0.4)
    told = told_of([*rows, *harder], 37)
    at = {w.window_start: w for w in windows(told)}
    withdrawn = [w for w in windows(told) if w.estimate_reason]
    first = withdrawn[0]
    assert START + 12 * DAY <= first.window_start <= START + 16 * DAY, "labels need two days, and say it soon"
    assert first.estimated == {}
    assert first.estimate_reason.startswith("estimate withdrawn: ")
    assert " was estimated at 0." in first.estimate_reason
    assert "windows or more agree, or with another reference" in first.estimate_reason
    before = at[START + 11 * DAY].estimated["accuracy"].value
    found = next(w for w in windows(told, "labels") if w.window_start == START + 11 * DAY).metrics["accuracy"].value
    assert before - found > 0.1, "it had said all is well"
    assert [w.window_start for w in withdrawn] == [t for t in at if t >= first.window_start], "and it stays so"
    assert alarms(told) == [], "what was a clear alarm above is none of an estimate that nobody believes"
    assert all(w.metrics for w in windows(told, "labels")), "labels say on what they say"


def test_another_champion_begins_withdrawn_and_is_believed_when_ten_windows_have_agreed() -> None:
    rows = [*make_rows(1, 4, per_day=PER_DAY), *make_rows(2, 22, per_day=PER_DAY, first_day=4, version="v2")]
    told = windows(told_of(rows, 29))
    said = [w.estimate_reason for w in told]
    assert said[3] == ""
    assert said[4].startswith("estimate withdrawn: it was learned of v1, and v2 is champion; it comes back when")
    back = next(i for i, w in enumerate(told) if i > 4 and w.estimated)
    assert 4 + 10 + 2 < back < 4 + 20, "ten windows, two days behind, and as many labels as it takes"
    assert all(w.estimated for w in told[back:])


def test_a_reference_from_a_file_names_no_version_and_is_taken_for_the_first_champions() -> None:
    nameless = learned(tuple(replace(row, version="") for row in REFERENCE))
    rows = [*make_rows(1, 2), *make_rows(2, 2, first_day=2, version="v2")]
    told = windows(told_of(rows, 4, baselines_of(REFERENCE, calibration=nameless)))
    assert [bool(w.estimated) for w in told] == [True, True, False, False]
    assert told[2].estimate_reason.startswith("estimate withdrawn: it was learned of v1, and v2 is champion")


@pytest.mark.parametrize(
    ("baselines", "said"),
    [
        (baselines_of(REFERENCE), "no estimate: the reference has no calibration of the scores; driftloop reference"),
        (
            baselines_of(REFERENCE, calibration=learned(tuple(replace(r, label=None) for r in REFERENCE))),
            "no estimate: the reference has no labelled rows; driftloop reference build, once there are",
        ),
        (
            baselines_of(REFERENCE, calibration=learned(tuple(replace(r, label=1) for r in REFERENCE))),
            "no estimate: of the reference 6000 rows with 6000 positives: both classes are needed; driftloop",
        ),
    ],
)
def test_a_reference_that_cannot_estimate_says_why(baselines: Baselines, said: str) -> None:
    told = told_of(make_rows(1, 2), 3, baselines)
    assert all(w.estimate_reason.startswith(said) and w.estimated == {} for w in windows(told))
    assert windows(told)


def test_a_calibration_is_of_the_version_with_most_labels_and_comes_back_from_json() -> None:
    others = tuple(replace(r, version="v0", label=1 - r.label) for r in REFERENCE[:300] if r.label is not None)
    known = learned((*REFERENCE, *others))
    assert known is not None
    assert known == learned(REFERENCE)
    assert known.version == "v1"
    assert len(known.falls) == 30, "days"
    again = Baselines.from_json(reference().to_json())
    assert again == reference()
    assert again.reference == reference().reference != baselines_of(REFERENCE).reference
    assert '"calibration"' not in baselines_of(REFERENCE).to_json(), "older references keep their name"
    assert len(reference().to_json()) - len(baselines_of(REFERENCE).to_json()) < 10_000


def test_a_threshold_that_has_moved_leaves_out_what_stands_on_decisions() -> None:
    known = estimates.calibration_of(learned(REFERENCE))
    counts, trust = known.rows.astype(np.int64), estimates.Trust(known, "")
    chosen = round(float(counts @ known.chosen))
    as_before = np.array([int(counts.sum()) - chosen, chosen, 0])
    found, said = estimates.told(SPEC, trust, counts, as_before)
    assert ("accuracy" in found, said) == (True, "")
    found, said = estimates.told(SPEC, trust, counts, as_before + np.array([400, -400, 0]))
    assert sorted(found) == ["auc", "brier", "log_loss"]
    assert "has the threshold moved?" in said
    found, said = estimates.told(SPEC, trust, counts, np.array([0, 0, 5_000]))
    assert said == "no accuracy is estimated: predictions carry no decision"


def test_of_many_classes_accuracy_follows_from_the_largest_score() -> None:
    rng = np.random.default_rng(1)
    three = replace(SPEC, task="multiclass", classes=("a", "b", "c"))

    def drawn(n: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
        raw = np.exp(sharpness * rng.normal(size=(n, 3)))
        score = raw / raw.sum(axis=1, keepdims=True)
        return score, (score.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)

    score, label = drawn(20_000, 1.0)
    names = np.full(20_000, "v1", object)
    known = estimates.learn(three, score=score, labels=label, predicted=score.argmax(axis=1), version=names)
    assert known is not None
    score, label = drawn(5_000, 2.0)
    counts = np.bincount(estimates.score_codes(score.max(axis=1)), minlength=64)
    found, said = estimates.told(three, estimates.Trust(estimates.calibration_of(known), ""), counts, np.zeros(4))
    assert (sorted(found), said) == (["accuracy"], "")
    right = float((score.argmax(axis=1) == label).mean())
    assert found["accuracy"].low <= right <= found["accuracy"].high
    assert found["accuracy"].high - found["accuracy"].low < 0.05


def test_cut_anywhere_it_goes_on_with_the_same_bytes() -> None:
    rows = [
        *make_rows(1, 9, per_day=PER_DAY),
        *make_rows(2, 5, per_day=PER_DAY, first_day=9, flip=0.4),
        *make_rows(3, 3, per_day=PER_DAY, first_day=14, version="v2"),
    ]
    records = [r for stream in streams_of(panes_of(rows), 3, START + 20 * DAY) for r in stream]
    whole, cut, rng = Judge(Shelf(reference())), Judge(Shelf(reference())), random.Random(5)
    told = whole.run(records)
    assert {w.estimate_reason[:22] for w in windows(told)} == {"", "estimate withdrawn: lo", "estimate withdrawn: it"}
    at = 0
    while at < len(records):
        size = rng.choice((1, 20, 60))
        cut.absorb(records[at : at + size])
        cut.checkpoint()
        cut.crash()
        at += size
    assert [(o.topic, o.value) for o in cut.outputs] == [(o.topic, o.value) for o in whole.outputs]
    assert cut.state == whole.state
