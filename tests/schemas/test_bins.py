"""The bins that every model shares: where they lie, and that nothing falls beside them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftloop.schemas.bins import (
    LOG_LOSS_CLIP,
    LOSS_BINS,
    LOSS_EDGES,
    LOSS_MOST,
    SCORE_BINS,
    SCORE_EDGES,
    delay_buckets,
    delay_edges,
    log_loss,
    loss_codes,
    loss_floor,
    score_codes,
    score_middles,
)
from sklearn.metrics import log_loss as sklearn_log_loss


def test_every_score_has_a_bin_and_a_half_is_an_edge() -> None:
    assert len(SCORE_EDGES) == SCORE_BINS - 1
    assert (np.diff(SCORE_EDGES) > 0).all()
    assert score_codes(np.array([0.0, 0.5 - 1e-9, 0.5, 1.0])).tolist() == [0, 31, 32, 63]
    assert score_codes(score_middles()).tolist() == list(range(SCORE_BINS))


def test_log_loss_is_the_one_people_know() -> None:
    random = np.random.default_rng(1)
    score, label = random.random(1_000), random.integers(0, 2, 1_000)
    assert log_loss(score, label).mean() == pytest.approx(sklearn_log_loss(label, score), rel=1e-12)


def test_a_certain_error_costs_the_most_and_no_more() -> None:
    worst = log_loss(np.array([0.0, 1.0]), np.array([1, 0]))
    assert worst.tolist() == pytest.approx([LOSS_MOST] * 2, rel=1e-9)
    assert pytest.approx(-math.log(LOG_LOSS_CLIP)) == LOSS_MOST
    assert log_loss(np.array([1.0, 0.0]), np.array([1, 0])).max() < 1e-14


def test_every_loss_lies_above_the_floor_of_its_bin_by_little() -> None:
    loss = np.concatenate((np.random.default_rng(2).exponential(1.0, 5_000), [0.0, LOSS_MOST], LOSS_EDGES))
    loss = loss[loss <= LOSS_MOST]
    floor = loss_floor()[loss_codes(loss)]
    assert len(loss_floor()) == LOSS_BINS
    assert (floor <= loss).all()
    assert (loss - floor <= np.maximum(1e-3, 0.021 * loss)).all()


def test_delay_buckets_end_with_the_horizon() -> None:
    assert delay_edges(3_600.0) == (3_600.0,)
    assert delay_edges(259_200.0) == (3_600.0, 21_600.0, 86_400.0, 259_200.0)
    assert delay_edges(1e7)[-2:] == (2_592_000.0, 1e7)
    delays = np.array([-5.0, 0.0, 3_600.0, 3_600.5, 86_400.0, 86_401.0])
    assert delay_buckets(delays, delay_edges(86_400.0)).tolist() == [0, 0, 0, 1, 2, 3]
