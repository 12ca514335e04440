"""The comparison is honest: it knows what was known, and gives what was measured before."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from driftloop.console.demo import policies
from driftloop.console.demo.flights import DAY_SECONDS, START, Flights
from driftloop.console.demo.history import BLOCKS, blocks_of, out_of_fold
from driftloop.console.demo.offline import specification
from driftloop.console.demo.policies import Fits, by_month, compare, month_start

RETRAIN = specification().retrain


def test_the_figures_of_the_notes_come_again(year: Flights) -> None:
    """notes/flights.md: frozen .5148, calendar everything .4989, last 60 days .5030 (another seed and sample)."""
    found = {policy: fmean(months.values()) for policy, months in compare(year, RETRAIN).items()}
    assert found["frozen"] == pytest.approx(0.5148, abs=0.003)
    assert found["calendar_everything"] == pytest.approx(0.4989, abs=0.003)
    assert found["calendar_two_months"] == pytest.approx(0.5030, abs=0.003)


def test_a_fit_sees_no_outcome_that_was_not_known_and_no_more_rows_than_allowed(
    year: Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(policies, "fit", lambda columns, labels, seed: seen.append((columns, labels, seed)))
    fits = Fits(year, RETRAIN)
    fits.columns = {"row": np.arange(len(year))}
    as_of, since = month_start(8), month_start(6)
    fits.at(as_of, since)
    ((columns, labels, seed),) = seen
    rows = columns["row"]
    assert seed == RETRAIN.seed
    assert len(rows) == len(set(rows.tolist())) == RETRAIN.rows_most
    assert year.known_at[rows].max() <= as_of
    assert year.event_time[rows].min() >= since
    assert np.array_equal(labels, year.label[rows])
    assert set(np.unique(labels).tolist()) == {0, 1}


def test_what_becomes_known_later_changes_nothing(year: Flights) -> None:
    some = year.rows(slice(0, 80_000))
    later = some.known_at > month_start(3)
    turned = replace(some, label=np.where(later & (some.label >= 0), 1 - some.label, some.label).astype(np.int8))
    rows = some.rows(slice(0, 50)).columns()
    mine, theirs = (Fits(flights, RETRAIN).at(START).predict_score(rows) for flights in (some, turned))
    assert np.array_equal(mine, theirs)


def test_an_early_end_compares_only_what_was_served(year: Flights) -> None:
    found = compare(year, RETRAIN, end=START + 40 * DAY_SECONDS)
    assert {tuple(months) for months in found.values()} == {("2013-03", "2013-04")}
    assert found["frozen"]["2013-03"] == found["calendar_everything"]["2013-03"]
    assert found["frozen"]["2013-04"] != found["calendar_everything"]["2013-04"]


def test_a_month_is_the_mean_log_loss_of_its_labelled_flights(year: Flights) -> None:
    from sklearn.metrics import log_loss

    served = year.rows(year.event_time >= START)
    scores = np.random.default_rng(0).random(len(served))
    found = by_month(served, scores)
    assert list(found) == [f"2013-{month:02d}" for month in range(3, 13)]
    june = (served.month == 6) & (served.label >= 0)
    assert found["2013-06"] == pytest.approx(log_loss(served.label[june], scores[june]))


def test_the_past_is_scored_by_models_that_have_not_seen_the_day(year: Flights) -> None:
    history = year.rows(year.event_time < START)
    history = history.rows(slice(None, None, 10))
    block = blocks_of(history.event_time)
    days = [np.unique(history.event_time[block == b] // DAY_SECONDS) for b in range(BLOCKS)]
    assert sum(map(len, days)) == len(np.unique(np.concatenate(days)))
    assert max(map(len, days)) - min(map(len, days)) <= 1

    honest = out_of_fold(history, 1)
    own = block == 2
    turned = np.where(own & (history.label >= 0), 1 - history.label, history.label).astype(np.int8)
    other = out_of_fold(replace(history, label=turned), 1)
    assert np.array_equal(honest[own], other[own])
    assert not np.array_equal(honest[~own], other[~own])
