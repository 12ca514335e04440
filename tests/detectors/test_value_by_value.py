"""e-SR and CSR a value at a time: their bounds counted, formulas in plain floats, the same however cut."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from driftloop.detectors import anchored, csr, e_sr
from scipy.stats import binom, norm

Stream = Callable[[np.random.Generator, int], np.ndarray]
KINDS: dict[str, Stream] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "Poisson": lambda rng, n: rng.poisson(1.5, n).astype(float),
    "rare bits": lambda rng, n: rng.binomial(1, 0.05, n).astype(float),
}


def run_length(module: Any, settings: Any, values: np.ndarray) -> int:
    """Values to the first alarm, or as many as there are."""
    _, found = module.scan(settings, module.start(settings), values)
    return int(found.alarms[0]) + 1 if len(found.alarms) else len(values)


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_run_length_of_csr_is_at_least_the_threshold_on_any_exchangeable_stream(kind: str) -> None:
    """100 runs, cut at 8 A (which only lowers the mean): within two standard errors not below A, nor above 2 A."""
    threshold, rng = 300.0, np.random.default_rng(6)
    lengths = [
        run_length(csr, csr.Settings(threshold, reference=50, seed=seed), KINDS[kind](rng, 2_450)) - 50
        for seed in range(100)
    ]
    error = np.std(lengths) / math.sqrt(len(lengths))
    assert threshold <= np.mean(lengths) + 2 * error
    assert np.mean(lengths) - 2 * error <= 2 * threshold, "tight: nothing is given away"


@pytest.mark.parametrize("p", [0.05, 0.2])
def test_the_mean_run_length_of_e_sr_is_at_least_the_threshold_at_its_baseline(p: float) -> None:
    settings, rng = e_sr.Settings(threshold=300.0, mean=p), np.random.default_rng(7)
    lengths = [run_length(e_sr, settings, rng.binomial(1, p, 2_400)) for _ in range(100)]
    assert np.mean(lengths) + 2 * np.std(lengths) / math.sqrt(len(lengths)) >= 300.0


def test_errors_that_depend_on_the_past_but_are_no_worse_for_it_keep_the_bound() -> None:
    """An error makes the next one less likely (.05), a success leaves it at the baseline (.2)."""
    settings, rng, lengths = e_sr.Settings(threshold=200.0, mean=0.2), np.random.default_rng(9), []
    for _ in range(60):
        u, values = rng.random(1_000), np.zeros(1_000)
        for i in range(1_000):
            values[i] = u[i] < (0.05 if i and values[i - 1] else 0.2)
        lengths.append(run_length(e_sr, settings, values))
    assert np.mean(lengths) - 2 * np.std(lengths) / math.sqrt(len(lengths)) >= 200.0


def test_csr_is_what_the_formula_says_in_plain_floats() -> None:
    """Poisson counts, so that values tie; edges are all that occurs, so bins are the values themselves."""
    rng = np.random.default_rng(2)
    settings = csr.Settings(1e12, reference=60, seed=5)
    values = rng.poisson(3.0, 500).astype(float)
    uniforms = csr.uniforms_of(5, np.arange(1, 501, dtype=np.uint64))
    state, _ = csr.scan(settings, csr.start(settings), values)
    seen, r = [], np.zeros(len(csr.WEIGHTS))
    for value, u in zip(values[60:].tolist(), uniforms[60:].tolist(), strict=True):
        seen.append(value)
        p = (sum(v > value for v in seen) + u * sum(v == value for v in seen)) / len(seen)
        z = norm.isf(p)
        bets = [norm.pdf(z - d) / norm.pdf(z) for d in csr.SHIFTS]
        bets += [norm.pdf(z, scale=s) / norm.pdf(z) for s in csr.SPREADS]
        r = (r + 1) * (0.99 * np.array(bets) + 0.01)
    r_at, tail = state.memory.evidence
    _, told = anchored.climb(anchored.Evidence(r_at, tail[:-1]), tail[-1:], csr.factors_of, csr.WEIGHTS)
    assert told.tolist() == pytest.approx([float(np.dot(csr.WEIGHTS, r))], rel=1e-9)


def test_e_sr_alarms_where_plain_floats_do() -> None:
    rng = np.random.default_rng(3)
    weights = (0.5, 0.25, 0.25)
    for _ in range(20):
        values = np.append(rng.random(700) < 0.1, rng.random(300) < 0.3).astype(float)
        settings = e_sr.Settings(threshold=1_000.0, reference=400, gamma=0.2, weights=weights)
        m = e_sr.upper_bound(400, values[:400].sum(), 0.2)
        neighbours = np.corrcoef(values[:399], values[1:400])[0, 1]
        if abs(neighbours - 0.1) < 0.02:
            continue  # on the border it is a matter of how the correlation is taken
        t = (1 - neighbours) / (1 + neighbours) if neighbours > 0.1 else 1.0
        r, expected = np.zeros(3), None
        for i, x in enumerate(values[400:].tolist()):
            r = (r + 1) * (1 + np.array(e_sr.BETS) * (x / m - 1)) ** t
            if expected is None and np.dot(weights, r) >= 1_000.0:
                expected = 400 + i
        _, found = e_sr.scan(settings, e_sr.start(settings), values)
        assert found.alarms[:1].tolist() == [expected]


def test_the_baseline_is_the_largest_mean_under_which_so_few_errors_are_not_too_rare() -> None:
    for events, errors in ((500, 0), (500, 20), (40, 39)):
        m = e_sr.upper_bound(events, errors, 0.1)
        assert binom.cdf(errors, events, m) == pytest.approx(0.1)
    assert e_sr.upper_bound(10, 10, 0.1) == 1.0


@pytest.mark.parametrize("module", [csr, e_sr])
def test_the_bytes_of_the_state_do_not_tell_where_the_stream_was_cut(module: Any) -> None:
    """Over several alarms, some batches empty, every other state through bytes."""
    rng = np.random.default_rng(1)
    settings = module.Settings(threshold=500.0, reference=80)
    values = np.concatenate([rng.binomial(1, p, 700) for p in (0.1, 0.5, 0.9, 0.3)]).astype(float)
    values[5] = math.nan
    whole, expected = module.scan(settings, module.start(settings), values)
    assert len(expected.alarms) >= 2
    for _ in range(4):
        state, alarms = module.start(settings), []
        places = [0, *sorted(rng.integers(0, len(values), 30).tolist()), len(values)]
        for number, (first, last) in enumerate(pairwise(places)):
            state = module.from_bytes(module.to_bytes(state)) if number % 2 else state
            state, found = module.scan(settings, state, values[first:last])
            alarms += (found.alarms + first).tolist()
        assert alarms == expected.alarms.tolist()
        assert module.to_bytes(state) == module.to_bytes(whole)


def test_only_ranks_count_and_ties_are_broken_by_position() -> None:
    """A rising function leaves the alarms where they are; other positions draw other numbers, a replay the same."""
    rng = np.random.default_rng(4)
    values = np.append(rng.normal(0, 1, 600), rng.normal(1.5, 1, 100))
    settings = csr.Settings(threshold=2_000.0)
    positions = np.arange(700, dtype=np.uint64) + (np.uint64(3) << np.uint64(48))

    def alarms(row: np.ndarray) -> list[int]:
        return csr.scan(settings, csr.start(settings), row, positions)[1].alarms.tolist()

    assert alarms(values) == alarms(values) != []
    assert csr.uniforms_of(0, positions).tolist() != csr.uniforms_of(1, positions).tolist()
    u = csr.uniforms_of(0, np.arange(4_000, dtype=np.uint64))
    assert np.abs(np.sort(u) - (np.arange(4_000) + 0.5) / 4_000).max() < 1.63 / math.sqrt(4_000), "KS at 1 %"


@pytest.mark.parametrize(
    ("module", "wrong"),
    [
        (csr, {"threshold": 0.0}),
        (csr, {"reference": 1}),
        (csr, {"seed": -1}),
        (e_sr, {"threshold": math.nan}),
        (e_sr, {"reference": 0}),
        (e_sr, {"gamma": 1.0}),
        (e_sr, {"mean": 1.5}),
        (e_sr, {"bets": (1.0,)}),
        (e_sr, {"weights": (1.0,)}),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(module: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        module.Settings(**wrong)
