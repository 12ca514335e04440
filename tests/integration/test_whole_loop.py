"""The loop end to end on a real broker: a model goes stale, is caught, rebuilt, proved, published and picked up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from driftloop.client import follow
from driftloop.schemas.events import DecisionRecorded, IncidentChanged, WindowMeasured
from driftloop.schemas.settings import Settings

from ..patience import GUARD_SECONDS
from .loop import MODEL, Loop, ended_runs, final_windows, prepare_by_command, publish, running, steps_of
from .world import DAY, expected_windows, make_world


def columns_of(loans):
    """The features of some loans as a Predictor takes them."""
    numeric = {
        name: np.array([np.nan if loan.features[name] is None else loan.features[name] for loan in loans])
        for name in ("income", "debt", "age")
    }
    return numeric | {"region": np.array([loan.features["region"] for loan in loans], dtype=object)}


def evaluations(loop: Loop) -> list[DecisionRecorded]:
    """Those that nobody has asked for."""
    decisions = [d for d in loop.read("decisions") if isinstance(d, DecisionRecorded)]
    return [d for d in decisions if d.kind == "evaluated" and d.trigger != "command"]


@pytest.mark.kafka
def test_a_stale_model_is_caught_rebuilt_published_and_picked_up(settings: Settings, tmp_path: Path) -> None:
    world = make_world(seed=3)
    live = [loan for loan in world.loans if loan.role == "champion"]
    with running(settings, tmp_path) as loop:
        prepare_by_command(loop, world)
        loop.start("observer", "judge", "retrainer")
        loop.command("retrain", MODEL, "--author", "test", "--reason", "first model")
        loop.wait("the first model", lambda: ended_runs(loop.read("decisions")))
        with follow(MODEL, settings) as app:
            first = app.wait(GUARD_SECONDS)
            assert first.version == "v1"

            end = world.end + 2.5 * DAY  # the last label horizon, and the disorder that watermarks allow for
            publish(settings, steps_of(world)[1], end)
            last_day = world.end - DAY
            windows = loop.wait(
                "the last day's final window",
                lambda: [w for w in loop.read("windows") if w.closing == "labels" and w.window_start == last_day],
            )
            incidents = [e for e in loop.read("drift") if isinstance(e, IncidentChanged)]
            assert [i.change for i in incidents].count("opened") == 1
            change = world.live_from + 7 * DAY
            opened = incidents[0]
            assert change < opened.as_of <= change + 6 * DAY

            runs = loop.wait("the second model", lambda: ended_runs(loop.read("decisions"))[1:])
            assert [(r.kind, r.trigger, r.version) for r in runs[:1]] == [("promoted", "incident", "v2")]
            second = next(change for change in app.changes() if change.version == "v2")

        # The numbers of every final window, against the plain list of loans.
        final = final_windows([w for w in loop.read("windows") if isinstance(w, WindowMeasured)])
        expected = expected_windows(world, until=end)
        assert sorted(start for start, _ in final if start in expected) == sorted(expected)
        for (start, _), window in final.items():
            if start not in expected:
                continue
            truth = expected[start]
            assert window.closing == "labels"
            assert (window.predictions, window.labelled) == (truth["predictions"], truth["labelled"])
            assert window.metrics["log_loss"].value == pytest.approx(truth["log_loss"], abs=1e-9)
            assert window.metrics["brier"].value == pytest.approx(truth["brier"], abs=1e-9)
            assert window.metrics["auc"].value == pytest.approx(truth["auc"], abs=0.02)
            debt = next(f for f in window.features if f.feature == "debt")
            assert debt.missing == pytest.approx(truth["missing_debt"])

        # The new model knows the new world, the old one does not.
        fresh = [loan for loan in live if loan.event_time > world.end - 5 * DAY and loan.label is not None]
        late = np.array([loan.label == "default" for loan in fresh])

        def loss(model):
            score = np.clip(model.predictor.predict_score(columns_of(fresh)), 1e-6, 1 - 1e-6)
            return float(-np.mean(np.where(late, np.log(score), np.log(1 - score))))

        assert loss(second) < loss(first) - 0.1
        # Every evaluation is on the record, the "no"s too: one a day of the stream.
        loop.wait("every evaluation", lambda: len(evaluations(loop)) >= len(expected))
        evaluated = evaluations(loop)
        assert len({d.as_of for d in evaluated}) == len(evaluated)
        assert loop.read("dead-letter") == []
        assert windows[0].status in ("OK", "DRIFT", "WARNING")
        assert loop.stop() == {"observer": 0, "judge": 0, "retrainer": 0}
