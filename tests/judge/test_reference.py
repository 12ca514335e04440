"""What the loss test takes from a reference: baseline, bound, and how many rows of a day count as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftloop.schemas.baseline.reference import Baselines, upper_bound
from driftloop.schemas.bins import loss_codes
from driftloop.streams.judge.reference import loss_baseline

from .scenes import DAY, START, baselines_of, make_rows


def baselines_with(seed: int, days: int, per_day: int, day_sd: float) -> Baselines:
    """Losses of sd .2 around a level that each day draws anew: 1 +- day_sd."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), per_day)
    losses = 1.0 + rng.normal(0, 1, days)[day] * day_sd + rng.normal(0, 0.2, len(day))
    mean, upper = upper_bound(losses, day.astype(float))
    return replace(
        baselines_of(make_rows(1, 1)),
        loss=tuple(np.bincount(loss_codes(losses), minlength=512).tolist()),
        loss_mean=mean,
        loss_upper=upper,
        from_time=START,
        to_time=START + days * DAY - 1,
    )


@pytest.mark.parametrize("day_sd", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("days", [8, 60, 200])
def test_the_design_effect_is_the_textbooks(day_sd: float, days: int) -> None:
    """1 + (rows a day - 1) * intraclass correlation; median of 40 references, held to at least 1."""
    per_day = 100
    correlation = day_sd**2 / (day_sd**2 + 0.2**2)
    found = [loss_baseline(baselines_with(seed, days, per_day, day_sd)) for seed in range(40)]
    effects = [f.design_effect for f in found if f is not None]
    assert np.median(effects) == pytest.approx(1 + (per_day - 1) * correlation, rel=0.25)
    assert min(effects) >= 1


def test_no_labels_no_baseline_and_no_loss_at_all_is_still_a_baseline() -> None:
    baselines = baselines_with(1, 10, 20, 0.0)
    assert loss_baseline(replace(baselines, loss_mean=None)) is None
    assert loss_baseline(replace(baselines, loss_upper=float("nan"))) is None
    perfect = loss_baseline(replace(baselines, loss_mean=0.0, loss_upper=0.0, loss=(0,) * 512))
    assert perfect is not None
    assert perfect.upper > 0
    assert perfect.design_effect == 1.0


def test_a_reference_of_a_single_day_counts_rows_as_independent() -> None:
    found = loss_baseline(baselines_with(1, 1, 500, 0.0))
    assert found is not None
    assert found.design_effect == 1.0
