"""Prior, covariate or concept, of many classes and of numbers: worlds of which the true cause is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from driftloop.schemas.baseline.reference_outcome import Outcome, learned_scales, outcome
from driftloop.schemas.bins import score_codes
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.outcome import Scales
from driftloop.streams.judge.incidents.loss_given_score import Known, Seen, explain_given
from driftloop.streams.judge.incidents.suspects import Signs, suspects
from numpy.typing import NDArray

Floats = NDArray[np.float64]
X = (Feature("x", "f_x", "numeric"),)
ANIMALS = MonitorSpecification("animals", "multiclass", ("cat", "dog", "owl"), X, 86_400.0)
HOUSES = MonitorSpecification("houses", "regression", (), X, 86_400.0, scales=Scales(None, None, None, None))
CENTRES = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
USUAL = np.array([0.6, 0.3, 0.1])
BEFORE, SINCE = 20_000, 2_000


class Rows(NamedTuple):
    """``score`` [n, 3] or [n]; ``label``: codes or numbers."""

    score: Floats
    label: Floats


def animals(rng: np.random.Generator, n: int, shares: Floats = USUAL) -> Rows:
    """A model that knows the usual world exactly."""
    label = rng.choice(3, n, p=shares)
    x = CENTRES[label] + rng.normal(size=(n, 2))
    density = USUAL * np.exp(-((x[:, None, :] - CENTRES) ** 2).sum(axis=2) / 2)
    return Rows(density / density.sum(axis=1, keepdims=True), label.astype(float))


def chosen(rng: np.random.Generator, rows: Rows, weight: Floats) -> Rows:
    at = rng.choice(len(weight), SINCE, p=weight / weight.sum())
    return Rows(rows.score[at], rows.label[at])


def rarer_animals(rng: np.random.Generator) -> Rows:
    return animals(rng, SINCE, np.array([0.25, 0.3, 0.45]))


def unclear_animals(rng: np.random.Generator) -> Rows:
    """More of those about which the model was never sure: whatever their scores say is still right."""
    pool = animals(rng, 20 * SINCE)
    return chosen(rng, pool, np.where(pool.score.max(axis=1) < 0.75, 4.0, 1.0))


def other_animals(rng: np.random.Generator) -> Rows:
    """A fifth are called something else now, each name as often as ever."""
    score, label = animals(rng, SINCE)
    at = np.flatnonzero(rng.random(SINCE) < 0.2)
    label[at] = rng.permutation(label[at])
    return Rows(score, label)


def houses(rng: np.random.Generator, n: int, size: float = 0.0, rise: float = 0.0, spread: float = 1.0) -> Rows:
    """The larger a house, the less sure its price."""
    x = rng.normal(size, 1.0, n)
    return Rows(2 * x, 2 * x + rise + spread * np.exp(0.4 * x) * rng.normal(size=n))


def dear_houses(rng: np.random.Generator) -> Rows:
    """Of each price as many features as ever, but high prices happen five times as often."""
    pool = houses(rng, 20 * SINCE)
    return chosen(rng, pool, np.where(pool.label > 3.0, 5.0, 1.0))


def seen_of(spec: MonitorSpecification, rows: Rows) -> Seen:
    """As panes of labelled rows say it: two histograms, and a sum."""
    if spec.task == "multiclass":
        label = rows.label.astype(int)
        score, loss = score_codes(rows.score.max(axis=1)), -np.log(rows.score[np.arange(len(label)), label])
        sizes = (64, 3)
    else:
        scales = spec.scales
        assert scales and scales.prediction_edges and scales.label_edges and scales.scale
        score = np.searchsorted(scales.prediction_edges, rows.score, side="right")
        label = np.searchsorted(scales.label_edges, rows.label, side="right")
        loss = np.abs(rows.score - rows.label) / scales.scale
        sizes = (len(scales.prediction_edges) + 1, len(scales.label_edges) + 1)
    counts = [np.bincount(codes, minlength=n).astype(float) for codes, n in zip((score, label), sizes, strict=True)]
    return Seen(*counts, float(loss.sum()))


def reference_of(spec: MonitorSpecification, rows: Rows) -> tuple[MonitorSpecification, Outcome]:
    label = rows.label if spec.task == "regression" else rows.label.astype(int)
    spec = replace(spec, scales=learned_scales(spec, label, rows.score))
    return spec, outcome(spec, label, rows.score, None)


def known_of(found: Outcome) -> Known:
    return Known(np.asarray(found.score_by_label, float), *map(np.asarray, found.losses_given))


WORLDS: dict[str, tuple[MonitorSpecification, Callable[[np.random.Generator], Rows], str]] = {
    "classes: other shares": (ANIMALS, rarer_animals, "prior"),
    "classes: unclear cases": (ANIMALS, unclear_animals, "covariate"),
    "classes: other names": (ANIMALS, other_animals, "concept"),
    "numbers: larger houses": (HOUSES, lambda rng: houses(rng, SINCE, size=1.0), "covariate"),
    "numbers: more dear ones": (HOUSES, dear_houses, "prior"),
    "numbers: all prices rise": (HOUSES, lambda rng: houses(rng, SINCE, rise=1.5), "concept"),
    "numbers: prices vary more": (HOUSES, lambda rng: houses(rng, SINCE, spread=1.6), "concept"),
}


@pytest.mark.parametrize("name", WORLDS)
def test_the_first_suspect_is_the_true_cause(name: str) -> None:
    spec, draw, cause = WORLDS[name]
    right, weights = 0, []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        full, found = reference_of(spec, (animals if spec is ANIMALS else houses)(rng, BEFORE))
        explained = explain_given(known_of(found), seen_of(full, draw(rng)))
        assert explained is not None
        assert explained.now > explained.before * 1.05
        first = suspects(Signs(loss=True, explained=explained))[0]
        right += first.kind == cause
        weights.append(first.weight)
    assert right == 20
    assert np.mean(weights) > 0.85


def test_a_reference_knows_its_own_losses_by_score_and_by_label() -> None:
    for spec, rows in (
        (ANIMALS, animals(np.random.default_rng(1), 500)),
        (HOUSES, houses(np.random.default_rng(1), 500)),
    ):
        full, found = reference_of(spec, rows)
        seen = seen_of(full, rows)
        known = known_of(found)
        assert known.counts.sum(axis=0).tolist() == seen.score.tolist()
        assert known.counts.sum(axis=1).tolist() == seen.label.tolist()
        assert [known.by_score.sum(), known.by_label.sum()] == pytest.approx([seen.loss] * 2, rel=1e-6)
        explained = explain_given(known, seen)
        assert explained is not None
        assert (explained.moved, explained.fits[0] > 0.9) == (0.0, True)
        assert explained.now == pytest.approx(explained.before, rel=1e-6)
        few = seen._replace(label=seen.label * 0.05)
        assert explain_given(known, few) is None
    errors = rows.score - rows.label
    assert found.residuals == pytest.approx((errors.mean(), errors.std()))
