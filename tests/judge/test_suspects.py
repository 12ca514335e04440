"""Six readings of an incident, each shown a world in which it is the right one by construction."""

from __future__ import annotations

import numpy as np
import pytest
from driftloop.schemas.bins import score_middles
from driftloop.schemas.events import DriftDetected
from driftloop.streams.judge.incidents.loss_given_score import explain
from driftloop.streams.judge.incidents.suspects import Signs, suspects

SCORE = score_middles()
ROWS = 20_000


def histograms(traffic: np.ndarray, chance: np.ndarray, rows: int = ROWS) -> np.ndarray:
    """Counts by label: ``traffic`` by bin of the score, ``chance`` of label 1 given it."""
    by_bin = rows * traffic / traffic.sum()
    return np.stack([by_bin * (1 - chance), by_bin * chance]).round().astype(np.int64)


def traffic(centre: float) -> np.ndarray:
    log_odds = np.log(SCORE / (1 - SCORE))
    return np.exp(-((log_odds - centre) ** 2) / 4)


REFERENCE = histograms(traffic(-1.5), SCORE)
ALARM = DriftDetected("m", "v1", "s", 10.0, 0.0, 10.0, "window_csr", "income", 9.0, 8.0, 0.4, "sd", paging=True)


def read(current: np.ndarray, **signs) -> list[tuple[str, float]]:
    found = suspects(Signs(loss=True, explained=explain(REFERENCE, current), **signs))
    return [(s.kind, s.weight) for s in found]


def test_a_prior_shift_is_told_as_one() -> None:
    """Four times as many of label 1, each class with the scores that it always had."""
    current = (REFERENCE * np.array([[1.0], [4.0]])).round().astype(np.int64)
    (kind, weight), *_ = read(current)
    assert (kind, weight) == ("prior", pytest.approx(1.0, abs=0.01))
    why = suspects(Signs(loss=True, explained=explain(REFERENCE, current)))[0].why
    p0, p1 = (float(n[1].sum() / n.sum()) for n in (REFERENCE, current))
    assert f"share of label 1 {p0:.3f} before, {p1:.3f} now" in why


def test_a_covariate_shift_is_told_as_one() -> None:
    """Riskier customers come, and the model is as right about them as ever."""
    (kind, weight), *others = read(histograms(traffic(0.0), SCORE), features=(ALARM,))
    assert (kind, weight) == ("covariate", pytest.approx(1.0, abs=0.02))
    assert all(weight < 0.6 for _, weight in others)


def test_a_change_of_concept_is_told_as_one() -> None:
    """The same customers with the same scores, of whom others default: neither scores nor shares explain it."""
    turned = histograms(traffic(-1.5), SCORE.mean() + 0 * SCORE)
    same_share = histograms(traffic(-1.5), np.full(64, REFERENCE[1].sum() / REFERENCE.sum()))
    assert read(same_share)[0] == ("concept", pytest.approx(1.0, abs=0.05))
    assert read(turned)[0][0] == "concept"


def test_labels_that_stop_are_told_with_how_many_are_missing() -> None:
    (found,) = suspects(Signs(loss=False, labels=(40.0, 400.0)))
    assert (found.kind, found.weight) == ("label_outage", 0.9)
    assert found.why == "40 labels are known of 400 that usually are by now"
    assert suspects(Signs(loss=False, labels=(210.0, 400.0))) == ()
    assert suspects(Signs(loss=False, labels=(0.0, 20.0))) == (), "of twenty none may be chance"
    (alone,) = suspects(Signs(loss=False, quality=(("labels", ""),), labels=(40.0, 400.0)))
    assert alone.kind == "label_outage", "the rule that it breaks is the same reading"


def test_partitions_of_which_nothing_is_heard_may_be_our_own_affair() -> None:
    (found,) = suspects(Signs(loss=False, unheard=(1, 3), partitions=4))
    assert (found.kind, found.weight) == ("own_lag", 0.5)
    assert found.why == "nothing is heard of source partitions 1, 3 of 4, which were left out"


def test_broken_data_comes_before_every_reading_of_the_loss() -> None:
    turned = histograms(traffic(-1.5), SCORE[::-1])
    broken = (("missing", "income"), ("volume", ""))
    kinds = [kind for kind, _ in read(turned, quality=broken, unheard=(0,), partitions=1)]
    assert kinds[:3] == ["own_lag", "data_quality", "concept"]
    found = suspects(Signs(loss=False, quality=broken))
    assert found[0].why == "rules of data quality are broken: missing of income, volume"


def test_where_the_score_says_nothing_features_and_concept_share_the_blame() -> None:
    assert [(s.kind, s.weight) for s in suspects(Signs(loss=True))] == [("concept", 1.0)]
    both = suspects(Signs(loss=True, features=(ALARM,)))
    assert [(s.kind, s.weight) for s in both] == [("covariate", 0.5), ("concept", 0.5)]
    assert "income moved" in both[0].why


def test_few_rows_explain_nothing() -> None:
    assert explain(REFERENCE, histograms(traffic(-1.5), SCORE, rows=20)) is None
    assert explain(np.zeros((2, 64), np.int64), REFERENCE) is None
