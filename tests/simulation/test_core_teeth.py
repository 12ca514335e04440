"""The simulation of the core has teeth: each mistake that somebody might make is caught by one of the first seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from driftloop.streams.observer.fold import ObserverFold
from driftloop.streams.observer.join import join
from driftloop.streams.observer.join.join import Join
from driftloop.streams.observer.join.pool import Pool
from driftloop.streams.observer.join.rows import Rows
from driftloop.streams.observer.model import ModelFold
from driftloop.streams.observer.panes.panes import Panes
from driftloop.streams.observer.recovery import state
from driftloop.streams.observer.time import Clock

from . import core

SEEDS_MOST = 40


def late_rows_revise_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Clock, "due", lambda _self, instants, _before: instants)


def late_rows_are_told_at_the_watermark(patch: pytest.MonkeyPatch) -> None:
    """An emission at a moment that depends on where the log stood, not at an instant."""
    patch.setattr(Clock, "due", lambda _self, instants, before: np.maximum(instants, before + 1.0))


def repeats_are_counted_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Join, "_repeated_predictions", lambda _self, rows: np.zeros(len(rows["ids"]), bool))


def truth_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    nobody = (np.empty(0, np.int64), np.empty(0, np.int64))
    patch.setattr(Join, "_serve", lambda _self, _predicted: nobody)


def what_met_is_not_saved(patch: pytest.MonkeyPatch) -> None:
    """After a crash every row waits again."""
    plain = state._row_records

    def forgetful(model: str, what: str, status: str, rows: Rows) -> Any:
        return (record for record in plain(model, what, status, rows) if f'"{status}"'.encode() not in record[0])

    patch.setattr(state, "_row_records", forgetful)


def rows_are_forgotten_at_the_horizon(patch: pytest.MonkeyPatch) -> None:
    plain = Rows.forget_before
    patch.setattr(Rows, "forget_before", lambda self, seconds, watermark: plain(self, 0.0, watermark + 0 * seconds))


def panes_close_a_pane_early(patch: pytest.MonkeyPatch) -> None:
    plain = Panes.close
    patch.setattr(Panes, "close", lambda self, watermark, horizon: plain(self, watermark, horizon - 3_600.0))


def the_clock_is_not_restored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ObserverFold, "_restore_clock", lambda _self, _value: None)


def the_latest_truth_wins(patch: pytest.MonkeyPatch) -> None:
    plain = join._first_by_offset
    patch.setattr(join, "_first_by_offset", lambda query, slots, offsets: plain(query, slots, -offsets))


def editions_retire_before_their_panes(patch: pytest.MonkeyPatch) -> None:
    """As it was: the last record of a pane was never deleted, and could not be read without its specification."""

    def retire(self: ModelFold) -> None:
        used = {self.active} | {n for n, e in self.editions.items() if e.features.panes or e.labels.panes}
        rows = self.join.predictions
        for segment in rows:
            used.update(np.unique(rows.columns["specs"][rows.slots_of(segment)]).tolist())
        for number in set(self.editions) - used:
            del self.editions[number]
            self.changed = True

    patch.setattr(ModelFold, "_retire", retire)


def counters_tell_an_instant_twice(patch: pytest.MonkeyPatch) -> None:
    """As it was: what the bound dropped was counted at its own instant, told long ago."""
    patch.setattr(Pool, "_instants", lambda self, _members, moments: self.clock.next_instants(moments))


MISTAKES = [
    late_rows_revise_nothing,
    late_rows_are_told_at_the_watermark,
    repeats_are_counted_twice,
    truth_does_not_wait,
    what_met_is_not_saved,
    rows_are_forgotten_at_the_horizon,
    panes_close_a_pane_early,
    the_clock_is_not_restored,
    the_latest_truth_wins,
    editions_retire_before_their_panes,
    counters_tell_an_instant_twice,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_is_caught(mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mistake(monkeypatch)
    seeds = (18, 21, 198, *range(SEEDS_MOST))
    assert any(core.simulate(seed).faults for seed in seeds), mistake.__doc__
