"""Errors of a model that stays as it was while the concept changes: ten kinds with one change, two without.

A tree learns 1,500 rows of the first concept; its errors on other rows of it, then on rows of the second, are the
stream. Rows come from river's generators (a pool of each concept, drawn from without repetition) and from the public
files of ../shared/data (MANIFEST.md there names their sources; where the folder is absent three streams are missing,
and that is said).
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from detectors_bench.streams import HORIZON, Source, Stream, Values, change_row, joined

GROUP = "error streams"
LEARNT_ROWS = 1_500
POOL_ROWS = 8_000
GRADUAL_ROWS = 1_000
STATIONARY = 50_000
DATA = Path(os.environ.get("PUBLIC_STREAMS", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
Rows = tuple[Values, Values]
"""Features [rows, features] and labels."""


def bernoulli(before: float, after: float) -> Source:
    def draw(rng: np.random.Generator) -> Stream:
        return joined(rng.binomial(1, before, change_row(rng)), rng.binomial(1, after, HORIZON), True)

    return Source(f"Bernoulli {before:g} to {after:g}", GROUP, draw)


@lru_cache(maxsize=16)
def pool(generator: str, concept: int) -> Rows:
    """Rows of one concept of river's generators, always the same."""
    from river.datasets import synth

    make: dict[str, Callable[[], object]] = {
        "SEA": lambda: synth.SEA(variant=concept, seed=5, noise=0.1),
        "STAGGER": lambda: synth.STAGGER(classification_function=concept, seed=5),
        "AGRAWAL": lambda: synth.Agrawal(classification_function=concept, seed=5),
    }
    rows = list(islice(iter(make[generator]()), POOL_ROWS))  # type: ignore[call-overload]
    return np.array([list(x.values()) for x, _ in rows], dtype=float), np.array([float(y) for _, y in rows])


def errors_of(learnt: Rows, met: Rows) -> Values:
    """1 where a tree that knows ``learnt`` is wrong about ``met``."""
    model = DecisionTreeClassifier(max_depth=8, min_samples_leaf=5, random_state=0).fit(*learnt)
    return np.asarray(model.predict(met[0]) != met[1], dtype=np.float64)


def some(rows: Rows, chosen: NDArray[np.int64]) -> Rows:
    return rows[0][chosen], rows[1][chosen]


def generated(generator: str, first: int, second: int, gradual: bool = False) -> Source:
    def draw(rng: np.random.Generator) -> Stream:
        row = change_row(rng)
        old, new = (rng.permutation(POOL_ROWS) for _ in range(2))
        learnt, rest = some(pool(generator, first), old[:LEARNT_ROWS]), old[LEARNT_ROWS:]
        before = errors_of(learnt, some(pool(generator, first), rest[: row + GRADUAL_ROWS]))
        after = errors_of(learnt, some(pool(generator, second), new[:HORIZON]))
        if gradual:
            share = np.arange(GRADUAL_ROWS) / GRADUAL_ROWS
            still = rng.random(GRADUAL_ROWS) >= share
            after[:GRADUAL_ROWS] = np.where(still, before[row:], after[:GRADUAL_ROWS])
        return joined(before[:row], after, True)

    return Source(f"{generator} {'gradual' if gradual else 'abrupt'}", GROUP, draw)


@lru_cache(maxsize=4)
def public(name: str) -> Rows:
    with gzip.open(DATA / f"{name}.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",", skiprows=1, max_rows=15_000)
    return table[:, :-1], table[:, -1]


def lobo(name: str, title: str, change: int) -> Source:
    """The first change of a public file; rows keep their order, each draw leaves out others."""

    def draw(rng: np.random.Generator) -> Stream:
        rows = public(name)
        learnt = rng.choice(change, LEARNT_ROWS, replace=False)
        before = np.setdiff1d(np.arange(change), learnt)
        before = np.sort(rng.choice(before, change_row(rng), replace=False))
        after = change + np.sort(rng.choice(HORIZON + 500, HORIZON, replace=False))
        errors = errors_of(some(rows, learnt), some(rows, np.concatenate((before, after))))
        return Stream(errors, (len(before),), True)

    return Source(title, GROUP, draw)


def markov(rng: np.random.Generator, p: float, rho: float, n: int) -> Values:
    """Bits of mean p of which neighbours have correlation rho: with probability rho a bit repeats the last."""
    drawn, kept = rng.binomial(1, p, n).astype(float), rng.random(n) < rho
    kept[0] = False
    last = np.maximum.accumulate(np.where(kept, -1, np.arange(n)))
    return drawn[last]


def _independent(rng: np.random.Generator) -> Stream:
    return Stream(rng.binomial(1, rng.choice((0.05, 0.1, 0.2, 0.3)), STATIONARY).astype(float), (), True)


def _dependent(rng: np.random.Generator) -> Stream:
    return Stream(markov(rng, 0.2, 0.3, STATIONARY), (), True)


DRAWN = [bernoulli(0.05, 0.1), bernoulli(0.1, 0.3), bernoulli(0.2, 0.4)]
GENERATED = [
    generated("SEA", 2, 3),
    generated("SEA", 2, 3, gradual=True),
    generated("STAGGER", 0, 1),
    generated("AGRAWAL", 0, 2),
]
PUBLIC = [
    lobo("lobo_sine_0123_abrupto", "lobo sine", 10_000),
    lobo("lobo_stagger_0120_abrupto", "lobo STAGGER", 10_000),
    lobo("lobo_sea_0123_gradual_noise_0.2", "lobo SEA gradual", 9_500),
]
NO_CHANGE = [
    Source("stationary i.i.d. bits", "", _independent),
    Source("stationary Markov bits .3", "", _dependent),
]


def changing() -> list[Source]:
    """All that can be had here."""
    return DRAWN + GENERATED + (PUBLIC if DATA.is_dir() else [])
