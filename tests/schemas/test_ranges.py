"""The learned range of a number: what it is for each shape, who has none, and where it goes."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from driftloop.console.monitor import keep_bins
from driftloop.schemas.baseline.ranges import learn_range, with_ends
from driftloop.schemas.baseline.reference import build_reference
from driftloop.schemas.monitor.quality import FeatureRules, QualityRules
from driftloop.schemas.monitor.specification import MonitorSpecification, compile_monitor
from numpy.typing import NDArray

MONITOR = """
model = "m"
classes = ["no", "yes"]
[features]
amount = "numeric"
day = "numeric"
told = { kind = "numeric", edges = [0, 1] }
[time]
horizon = "1 d"
"""
EVEN = np.random.default_rng(0).permutation((np.arange(30_000) + 0.5) / 30_000)
"""Quantiles of whatever distribution, in no order."""


def quantiles(of: NormalDist) -> NDArray[np.float64]:
    return np.array([of.inv_cdf(p) for p in EVEN.tolist()])


def test_the_ends_of_a_normal_a_lognormal_and_a_uniform_feature_are_those_of_the_formula() -> None:
    z9, z999 = NormalDist().inv_cdf(0.9), NormalDist().inv_cdf(0.999)
    end = z999 + z999 / z9 * z999
    assert learn_range(quantiles(NormalDist())) == pytest.approx((-end, end), rel=0.02)
    amounts = np.exp(quantiles(NormalDist()))
    high = math.exp(z999) + (math.exp(z999) - 1) ** 2 / (math.exp(z9) - 1)
    assert learn_range(amounts) == pytest.approx((0.0, high), rel=0.02), "nothing was ever below zero"
    assert learn_range(-amounts) == pytest.approx((-high, 0.0), rel=0.02), "nor above it"
    assert learn_range(EVEN) == pytest.approx((-0.997, 1.997), rel=0.02)


def test_winter_leaves_room_for_july_and_one_impossible_wind_changes_nothing() -> None:
    winter = quantiles(NormalDist(0.0, 5.0))
    low, high = learn_range(winter) or (0.0, 0.0)
    assert low < -45 and high > 45
    odd = winter.copy()
    odd[[7, 20_000]] = [1_048.0, -999.0]
    assert learn_range(odd) == pytest.approx((low, high), rel=0.01)
    odd[100:200] = [math.nan, math.inf] * 50
    assert learn_range(odd) == pytest.approx((low, high), rel=0.01)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(9_000.0) // 150,
        np.arange(9_000.0),
        np.full(9_000, 7.0),
        np.full(9_000, math.nan),
        EVEN[:99],
        EVEN * 3e308 - 1.5e308,
    ],
    ids=["a date", "a running number", "a constant", "missing", "few", "wider than a double"],
)
def test_who_has_no_range(values: NDArray[np.float64]) -> None:
    assert learn_range(values) is None


def build(text: str, rules: QualityRules | None = None) -> MonitorSpecification:
    """A reference of 3,000 rows that come in no order of time; ``day`` grows with it."""
    spec, time = replace(compile_monitor(text, "m.toml"), quality=rules), EVEN[:3_000] * 1e6
    columns = {"amount": EVEN[3_000:6_000], "day": time // 1e4, "told": EVEN[:3_000]}
    labels = np.zeros(3_000, np.int64)
    return build_reference(spec, columns, labels, score=EVEN[:3_000], event_time=time)[0]


def test_a_reference_build_puts_it_into_the_specification_and_its_ends_among_the_edges() -> None:
    written = compile_monitor(MONITOR, "m.toml")
    assert '"range"' not in written.to_json(), "who has none keeps the name of the specification"
    spec = build(MONITOR)
    amount, day, told = spec.features
    assert amount.range == learn_range(EVEN[3_000:6_000][np.argsort(EVEN[:3_000])])
    assert amount.range and amount.edges
    assert (amount.edges[0], amount.edges[-1]) == (amount.range[0], math.nextafter(amount.range[1], math.inf))
    assert (amount.bins, day.range, told.range, told.edges) == (19, None, None, (0.0, 1.0))
    assert MonitorSpecification.from_json(spec.to_json()) == spec
    kept = keep_bins(replace(written, budget_seconds=1.0), spec)
    assert (kept.features, kept.budget_seconds) == (spec.features, 1.0), "a file that is applied again loses nothing"


def test_where_one_is_declared_none_is_learned() -> None:
    amount = build(MONITOR, QualityRules(features=(FeatureRules("amount", low=0.0, high=0.5),))).features[0]
    assert amount.range is None
    assert amount.edges is not None and {0.0, math.nextafter(0.5, 1.0)} < set(amount.edges)


def test_ends_are_among_the_edges_once() -> None:
    assert with_ends((1.0, 2.0), None, (0.0, 2.0), (0.0, 2.0)) == (0.0, 1.0, 2.0, math.nextafter(2.0, 3.0))
