"""From records to windows for many classes and numbers: reference, observer and judge in a list, against numpy."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftloop.schemas.baseline.reference import Baselines, build_reference
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.events import DriftDetected, IncidentChanged, ReferenceBuilt, WindowMeasured
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.outcome import Scales
from driftloop.streams.fold import SourceRecords
from driftloop.streams.judge.fold import make_fold
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    root_mean_squared_error,
)

from .task_worlds import ANIMALS, HOUSES
from .world import HOUR, Marked, Observed, Predicted, Transport, World, as_the_only_partition, context

DAYS = 12
VALUE_MOST = 50.0
DAY = 24 * HOUR
MIDNIGHT = 1_599_955_200.0
COLUMNS = {"weight": np.full(1, np.nan), "rooms": np.full(1, np.nan), "town": np.array([None], object)}
"""The rows of this world have no values, so those of the reference have none either."""


def spec_of(which: MonitorSpecification) -> MonitorSpecification:
    return replace(which, horizon_seconds=6 * HOUR, minimum_rows=20, value_most=VALUE_MOST, budget_seconds=20 * DAY)


def rows_of(spec: MonitorSpecification, bad_from: int) -> tuple[list[Predicted], list[Observed]]:
    """One prediction every ten minutes; from day ``bad_from`` on the model is much worse."""
    rng = random.Random(7)
    made, known = [], []
    for i in range(DAYS * 144):
        time, bad = MIDNIGHT + 600.0 * i, i >= bad_from * 144
        if spec.task == "multiclass":
            truth: Any = rng.choice(spec.classes)
            said = rng.choice(spec.classes) if bad or rng.random() < 0.1 else truth
            rest = 0.3 / (len(spec.classes) - 1)
            score: Any = tuple(0.7 if c == said else rest for c in spec.classes)
        else:
            truth = rng.gauss(100.0, 12.0)
            score = truth + rng.gauss(15.0 if bad else 0.5, 2.0)
        made.append(Predicted(f"id{i}", spec, time, score, {}, "v1", "champion", None))
        known.append(Observed(f"id{i}", spec, time + 1_800.0, truth, float(i % 7) - 2.0))
    end = Marked(MIDNIGHT + (DAYS + 4) * DAY)
    return [*made, end], [*known, end]


def reference_of(spec: MonitorSpecification) -> tuple[MonitorSpecification, Baselines]:
    made, known = rows_of(spec, DAYS)
    score = np.array([p.score for p in made[:-1]])
    labels = [spec.classes.index(t.label) if spec.classes else t.label for t in known[:-1]]
    columns = {f.name: np.repeat(COLUMNS[f.name], len(score)) for f in spec.features}
    times = np.array([p.time for p in made[:-1]])
    predicted = score.argmax(axis=1) if spec.classes else None
    return build_reference(spec, columns, np.array(labels), score=score, event_time=times, predicted=predicted)


def told(spec: MonitorSpecification, baselines: Baselines, bad_from: int) -> list[Any]:
    seen = context(None, spec)
    built = ReferenceBuilt(spec.model, spec.spec, baselines.reference, baselines.to_json())
    seen.catalogue.absorb("references", 1, b"r", encode(built))
    seen = replace(seen, partitions=1)
    transport = Transport(World(*rows_of(spec, bad_from)), seen)
    transport.run(random.Random(1), batch=500)
    judge = make_fold(0, {}, seen)
    values = as_the_only_partition(transport.outputs)
    n = len(values)
    judge.absorb(SourceRecords("t.panes.v1", 0, list(range(n)), [b"k"] * n, values, [1] * n, [()] * n, 0))
    outputs = judge.collect().outputs
    assert not [o for o in outputs if o.topic == "t.dead-letter.v1"]
    return [decode(o.value) for o in outputs]


def windows_of(events: list[Any]) -> list[WindowMeasured]:
    return [e for e in events if isinstance(e, WindowMeasured) and e.closing == "labels" and e.predictions]


def test_windows_of_many_classes_are_those_of_scikit_learn() -> None:
    spec, baselines = reference_of(spec_of(ANIMALS))
    made, known = rows_of(spec, DAYS)
    windows = windows_of(told(spec, baselines, DAYS))
    assert len(windows) == DAYS
    for day, window in enumerate(windows):
        here = slice(144 * day, 144 * (day + 1))
        score = np.array([p.score for p in made[here]])
        label = np.array([spec.classes.index(t.label) for t in known[here]])
        found = {name: estimate.value for name, estimate in window.metrics.items()}
        assert set(found) == {
            *("accuracy", "balanced_accuracy", "brier", "calibration_error", "f1", "log_loss", "precision", "recall"),
            "value",
        }
        said = score.argmax(axis=1)
        values = np.array([t.value for t in known[here]])
        assert found["value"] == pytest.approx(values.mean(), abs=1e-6), "over all cells of the confusion matrix"
        assert found["f1"] == pytest.approx(f1_score(label, said, average="macro"))
        assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(label, said))
        assert found["accuracy"] == pytest.approx(np.mean(score.argmax(axis=1) == label))
        assert found["log_loss"] == pytest.approx(log_loss(label, score, labels=range(4)), abs=1e-6)
        assert found["brier"] == pytest.approx(np.mean(((score - np.eye(4)[label]) ** 2).sum(axis=1)), abs=1e-6)
        assert all(e.low <= e.value <= e.high for e in window.metrics.values())
        assert (window.status, window.labelled) == ("OK", 144)


def test_windows_of_a_regression_are_those_of_scikit_learn() -> None:
    spec, baselines = reference_of(spec_of(replace(HOUSES, scales=Scales())))
    assert spec.scales is not None
    assert (spec.scales.centre, spec.scales.scale) == (96.0, 16.0), "sd 12, median 100, at a whole number of scales"
    made, known = rows_of(spec, DAYS)
    windows = windows_of(told(spec, baselines, DAYS))
    assert len(windows) == DAYS
    for day, window in enumerate(windows):
        here = slice(144 * day, 144 * (day + 1))
        score = np.array([p.score for p in made[here]])
        label = np.array([t.label for t in known[here]])
        found = {name: estimate.value for name, estimate in window.metrics.items()}
        assert set(found) == {"bias", "mae", "rmse", "quantile_loss:0.1", "quantile_loss:0.9", "value"}
        assert found["quantile_loss:0.9"] == pytest.approx(mean_pinball_loss(label, score, alpha=0.9), abs=1e-6)
        values = np.array([t.value for t in known[here]])
        assert found["value"] == pytest.approx(values.mean(), abs=1e-6)
        assert found["bias"] == pytest.approx(np.mean(score - label), abs=1e-6)
        assert found["mae"] == pytest.approx(mean_absolute_error(label, score), abs=1e-6)
        assert found["rmse"] == pytest.approx(root_mean_squared_error(label, score), abs=1e-4)
        assert all(e.low <= e.value <= e.high for e in window.metrics.values())


@pytest.mark.parametrize("which", [ANIMALS, replace(HOUSES, scales=Scales())], ids=["multiclass", "regression"])
def test_a_model_that_has_become_worse_is_an_incident(which: MonitorSpecification) -> None:
    spec, baselines = reference_of(spec_of(which))
    events = told(spec, baselines, bad_from=6)
    alarms = [e for e in events if isinstance(e, DriftDetected) and e.detector == "e_detector"]
    opened = [e for e in events if isinstance(e, IncidentChanged) and e.change == "opened"]
    feature, unit, words = {
        "multiclass": ("log_loss", "nats", "log loss of v1"),
        "regression": ("absolute_error", "scales", "absolute error, in scales, of v1"),
    }[spec.task]
    assert alarms and (alarms[0].feature, alarms[0].unit, alarms[0].paging) == (feature, unit, True)
    assert opened and words in opened[0].summary
    assert MIDNIGHT + 6 * DAY <= alarms[0].as_of <= MIDNIGHT + 8 * DAY
    assert {e.suspects[0].kind for e in events if isinstance(e, IncidentChanged) and e.change != "resolved"} == {
        "concept"
    }
    (suspect, *_) = [e for e in events if isinstance(e, IncidentChanged) and e.change == "updated"][-1].suspects
    assert (suspect.weight > 0.8, "the new share of labels" in suspect.why) == (True, True), "neither says why"
    if spec.task == "regression":
        assert "errors were +0.4" in suspect.why or "errors were +0.5" in suspect.why
        assert "and are +15" in suspect.why or "and are +14" in suspect.why
    stale = replace(baselines, losses_given=(), residuals=())
    updated = [e for e in told(spec, stale, bad_from=6) if isinstance(e, IncidentChanged) and e.change == "updated"]
    assert [(s.kind, s.weight) for s in updated[-1].suspects] == [("concept", 1.0)]
    assert "built without it" in updated[-1].suspects[0].why
    assert not [e for e in told(spec, baselines, DAYS) if isinstance(e, IncidentChanged)]


def test_baselines_of_every_task_come_back_from_their_json() -> None:
    for which in (ANIMALS, replace(HOUSES, scales=Scales())):
        spec, baselines = reference_of(spec_of(which))
        assert Baselines.from_json(baselines.to_json()) == baselines
        assert baselines.bins_fit(spec)
        assert sum(baselines.loss) == baselines.labelled == sum(baselines.score) == DAYS * 144
        assert (baselines.error_rate is None) == (spec.task == "regression")


def test_an_unlabelled_reference_of_a_regression_takes_its_scale_from_the_predictions() -> None:
    spec = spec_of(replace(HOUSES, scales=Scales()))
    n = 50
    columns = {f.name: np.repeat(COLUMNS[f.name], n) for f in spec.features}
    score = np.linspace(-3.0, 3.0, n)
    found, baselines = build_reference(spec, columns, np.full(n, np.nan), score=score, event_time=np.full(n, 1e9))
    assert found.scales is not None
    assert (found.scales.scale, found.scales.centre, found.scales.label_edges) == (2.0, 0.0, None)
    assert (baselines.labelled, baselines.loss_mean, sum(baselines.score)) == (0, None, n)
