"""What a drift pass over 100,000 x 10 values takes ours, with a cached reference, beside the peers in the same run.

From raw columns to verdicts: values to bins as the observer does it (schemas/coder.py; a dictionary for names),
counts, and of each feature the chi-square test, PSI, Jensen–Shannon, Kolmogorov–Smirnov, Wasserstein and the effect
size. What is prepared from the reference: edges, names, counts. CPU seconds, one thread, medians.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from driftloop.detectors import chi2_sr, distances
from driftloop.schemas.coder import Coder
from numpy.typing import NDArray
from peers.pass_data import CATEGORICAL, CATEGORIES, NUMERIC, ROWS, columns

from detectors_bench import peers
from detectors_bench.results import Results, Row

STREAM = "pass over 100,000 x 10"
OURS = "driftloop"
REPEATS = 15
CHUNK_ROWS = 8_192
"""What stays in the cache of a core."""
NUMBERS = [f"n{i}" for i in range(NUMERIC)]
NAMES = [f"c{i}" for i in range(CATEGORICAL)]
Counts = list[NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """From the reference: how values become bins, and its counts by feature."""

    coder: Coder
    codes: dict[object, int]
    reference: Counts

    @classmethod
    def of(cls, found: dict[str, Any]) -> Prepared:
        coder = Coder([np.quantile(found[name], np.arange(1, 16) / 16) for name in NUMBERS])
        codes: dict[object, int] = {name: code for code, name in enumerate(CATEGORIES)}
        return cls(coder, codes, counted(coder, codes, found))


def counted(coder: Coder, codes: dict[object, int], found: dict[str, Any]) -> Counts:
    """Numeric: 16 bins and missing. Categorical: the names, other and missing."""
    counts = [np.zeros(17, np.int64) for _ in NUMBERS]
    for first in range(0, ROWS, CHUNK_ROWS):
        rows = np.stack([found[name][first : first + CHUNK_ROWS] for name in NUMBERS])
        for j, column in enumerate(coder.codes(rows.T).T):
            counts[j] += np.bincount(column, minlength=17)
    for name in NAMES:
        counts.append(np.zeros(len(codes) + 2, np.int64))
        for value, times in Counter(found[name].tolist()).items():
            counts[-1][codes.get(value, len(codes))] += times
    return counts


def drift_pass(prepared: Prepared, current: dict[str, Any]) -> int:
    """How many features have drifted: p < .05 / 10, and by .05 sd or PSI .02 at least, as docs/detectors.md says."""
    drifted = 0
    for j, counts in enumerate(counted(prepared.coder, prepared.codes, current)):
        reference = prepared.reference[j]
        common, rare = chi2_sr.p_values(counts.astype(float), reference.astype(float))
        p = min(1.0 if x is None else x for x in (common, rare))
        psi, numeric = distances.psi(counts, reference), j < NUMERIC
        distances.jensen_shannon(counts, reference)
        if numeric:
            distances.kolmogorov_smirnov(counts, reference)
            distances.wasserstein(counts, reference)
        effect = (
            distances.mean_shift(counts, tuple(reference.tolist()))
            if numeric
            else distances.cohens_w(counts, reference)
        )
        drifted += p < 0.05 / 10 and (abs(effect) >= 0.05 or psi >= 0.02)
    return drifted


def timed(seed: int) -> dict[str, Any]:
    prepared, current = Prepared.of(columns(seed, 0)), columns(seed, 1)
    found, seconds = drift_pass(prepared, current), []
    for _ in range(REPEATS):
        start = time.process_time()
        drift_pass(prepared, current)
        seconds.append(time.process_time() - start)
    return {"detector": OURS, "found_drifted": found, "seconds": seconds}


def rows_of(found: list[dict[str, Any]]) -> list[Row]:
    """Rows of the table; ``times_ours``: the median over that of ours."""
    middle = {one["detector"]: statistics.median(one["seconds"]) for one in found}
    return [
        {
            "stream": STREAM,
            "detector": one["detector"],
            "drifts": 1,
            "found": int(one["found_drifted"] >= 1),
            "median_delay": None,
            "false_alarms_per_10k": 0.0,
            "ns_per_value": 1e9 * middle[one["detector"]] / (ROWS * (NUMERIC + CATEGORICAL)),
            "median_seconds": middle[one["detector"]],
            "times_ours": middle[one["detector"]] / middle[OURS],
            "features_flagged": one["found_drifted"],
        }
        for one in found
    ]


def measure(seed: int, results: Results) -> None:
    """Ours before the peers and behind them, all of it anew in every run: a ratio of two runs says nothing."""
    first = timed(seed)
    others = peers.passes(seed)
    last = timed(seed)
    first["seconds"] += last["seconds"]
    for row in rows_of([first, *others]):
        results.add(row)
