"""Numeric features together, in panes: sums of the rows' vectors, each row taken alone; over any cut and crash."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from driftloop.schemas.baseline.projection import Projection, named, norm_codes
from driftloop.schemas.baseline.reference import build_reference
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.monitor.together import NAME, Together

from . import world as world_module
from .pane_oracle import PaneOracle
from .test_fold import assert_cuts_change_no_byte, counted, order, panes_of
from .world import CLICKS, LOANS, Transport, context, make_world

INCOME, DEBT = (Feature(name, f"f_{name}", "numeric") for name in ("income", "debt"))


def built() -> MonitorSpecification:
    """LOANS with its numbers together; their bins are learned, and so is the basis."""
    spec = replace(LOANS, features=(INCOME, LOANS.features[2], DEBT), together=Together(("debt", "income")))
    rng = np.random.default_rng(0)
    columns = {"income": rng.normal(size=400), "debt": rng.normal(size=400)}
    columns |= {"region": np.array(["north"] * 400, object)}
    times = 1.6e9 + np.arange(400.0)
    found, _ = build_reference(spec, columns, np.zeros(400), score=np.full(400, 0.5), event_time=times)
    return found


SPEC = built()


class TogetherOracle(PaneOracle):
    def feature_row(self, i: int) -> None:
        super().feature_row(i)
        p = self.p[i]
        key = (p.version, p.role, self.start_of(p), "features", -1)
        due = self.due(self.start_of(p) + self.spec.pane_seconds, self.before_p[i])
        counts, sums, _ = self.parts[key][due][-1]
        as_one = SPEC.vectors[0]
        assert as_one.basis is not None
        told = {name: p.features.get(name) for name in ("income", "debt")}
        columns = {name: np.array([math.nan if v is None else v], float) for name, v in told.items()}
        projection = Projection(2, as_one.basis)
        projected = projection.project(SPEC.vectors_together(columns))
        sums |= named(NAME, projection.all_sums(projected))
        counts[f"feature:{NAME}/{norm_codes(projected.norms, as_one.edges or ())[0]}"] += 1


@pytest.mark.parametrize("seed", range(3))
def test_every_pane_holds_the_sums_of_its_rows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "LOANS", SPEC)
    monkeypatch.setattr("driftloop.streams.observer.fold.ROWS_GATHERED_MOST", 20)
    world = make_world(seed)
    transport = Transport(world, context(None, SPEC, CLICKS))
    transport.run(random.Random(seed), crashes=0.2)
    told = [p for p, _ in sorted(panes_of(transport), key=order) if p.kind == "features" and p.model == "loans"]
    expected = {k: v for k, v in TogetherOracle(world, SPEC).emissions().items() if k[3] == "features"}
    assert len(told) == sum(map(len, expected.values()))
    for key, emissions in expected.items():
        found = [p for p in told if (p.version, p.role, p.pane_start, p.kind, p.bucket) == key]
        for pane, (due, revision, counts, sums) in zip(found, emissions, strict=True):
            assert (pane.emitted_at, pane.revision) == (due, revision)
            assert Counter(counted(pane)) == +counts
            assert pane.sums == sums, "exactly"


def test_cuts_interleaving_and_crashes_change_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "LOANS", SPEC)
    world = make_world(11, size=150)
    assert_cuts_change_no_byte(world, SPEC, CLICKS)
