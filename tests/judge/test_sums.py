"""Panes of several partitions counted in at once say what they say bin by bin, and can be taken out again."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby

import numpy as np
import pytest
from driftloop.schemas.events import Pane
from driftloop.streams.judge.sums import CONFUSION, FEATURES, Layout, PaneSums

from tests.judge.scenes import SPEC, make_rows, panes_of

LAYOUT = Layout(SPEC)


def runs(seed: int) -> list[list[Pane]]:
    """Last revisions that differ in their source partitions alone."""
    last = {(p.kind, p.bucket, p.pane_start, p.partition): p for p in panes_of(make_rows(seed, days=2, partitions=5))}
    ordered = sorted(last.items())
    return [[pane for _, pane in run] for _, run in groupby(ordered, key=lambda one: one[0][:3])]


def bin_by_bin(panes: Sequence[Pane], name: str, size: int) -> list[int]:
    found = [0] * size
    for histogram in (h for pane in panes for h in pane.histograms if h.name == name):
        for bin_, count in zip(histogram.bins, histogram.counts, strict=True):
            found[bin_] += count
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_run_counts_as_its_panes_do_bin_by_bin(seed: int) -> None:
    for run in runs(seed):
        sums, kind = PaneSums.empty(LAYOUT), run[0].kind
        sums.add(LAYOUT, run)
        flat = sums.features if kind == FEATURES else sums.labels
        for name, (_, size) in LAYOUT.places[kind].items():
            assert LAYOUT.read(kind, flat, name).tolist() == bin_by_bin(run, name, size)
        if kind == FEATURES:
            assert sums.predictions == sum(p.counts["predictions"] for p in run)
            assert sums.decisions.tolist() == bin_by_bin(run, "predicted", 3)
        else:
            assert sums.labelled[run[0].bucket] == sum(p.counts["labelled"] for p in run) == sum(sums.labelled)
            table = np.reshape(bin_by_bin(run, CONFUSION, 9), (3, 3))
            assert sums.by_class[:, run[0].bucket].tolist() == table[:2].sum(axis=1).tolist()
            assert sums.sum_of("brier") == float(sum(Fraction(p.sums["brier"]) for p in run))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_taken_out_again_leaves_the_others(seed: int) -> None:
    for run in runs(seed):
        together, others = PaneSums.empty(LAYOUT), PaneSums.empty(LAYOUT)
        together.add(LAYOUT, run)
        together.add(LAYOUT, run[:2], sign=-1)
        for pane in run[2:]:
            others.add(LAYOUT, [pane])
        for field in ("features", "labels", "labelled", "by_class", "decisions", "predictions", "sums"):
            assert np.array_equal(getattr(together, field), getattr(others, field)), field
