"""What judges windows of one stream: our detectors of counts and of window scores, and distances with a line drawn.

Bits are counted as they are, numbers on the 16 quantile bins of what was learnt. Ours hold the budget of the others:
A windows are 50,000 values. A distance or a p-value with a line through it holds none; it is what report tools do,
and so it never begins anew.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from driftloop.detectors import chi2_sr, distances, e_detector, window_csr
from driftloop.detectors.e_detector import Losses
from driftloop.detectors.e_sr import upper_bound
from driftloop.detectors.window_csr import Scores, uniform_of
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from detectors_bench.streams import Values
from detectors_bench.windowed import Judge, Windowing

RUN_LENGTH = 50_000
CSR_ROWS, PANE_ROWS, COUNTED_ROWS, REPORT_ROWS = 64, 50, 128, 250
"""128 rows are eight a bin; with fewer than five chi2_sr holds every bin for a rare one."""
LEARNT_ROWS = 2_500
"""No drawn stream changes before row 3,000."""
QUANTILES = np.arange(1, 16) / 16


def window_ranks() -> Windowing:
    """window_csr for values that depend on their neighbours: mean and log sd of 64 values, and how far both are from
    those of the first ten windows. Windows far longer than the memory of the stream are as good as exchangeable."""
    settings = window_csr.Settings(features=2, threshold=RUN_LENGTH / CSR_ROWS)

    def told(window: Values) -> Values:
        return np.array([window.mean(), np.log(window.std() + 1e-12)])

    def learn(values: Values) -> Judge:
        normal = np.mean([told(w) for w in values.reshape(-1, CSR_ROWS)], axis=0)
        state = window_csr.start(settings)

        def judge(window: Values, behind: int) -> bool:
            nonlocal state
            scores = np.abs(told(window) - normal)
            uniforms = [uniform_of("windowed", feature, behind // CSR_ROWS) for feature in range(2)]
            state, verdict = window_csr.step(settings, state, Scores(scores.tolist(), uniforms))
            return verdict.alarmed

        return judge

    return Windowing(CSR_ROWS, 10 * CSR_ROWS, learn)


def counting(values: Values) -> Callable[[Values], NDArray[np.int64]]:
    """Counts on the bins of ``values``: 0 and 1, or quantiles. The last bin, for what is missing, stays empty."""
    bits = np.isin(values, (0.0, 1.0)).all()
    edges = np.array([0.5]) if bits else np.unique(np.quantile(values, QUANTILES))
    return lambda window: np.bincount(np.searchsorted(edges, window, side="right"), minlength=len(edges) + 2)


def counted() -> Windowing:
    """chi2_sr on windows of independent rows."""

    def learn(values: Values) -> Judge:
        count = counting(values)
        settings = chi2_sr.Settings((tuple(count(values).tolist()),), RUN_LENGTH / COUNTED_ROWS)
        state = chi2_sr.start(settings)

        def judge(window: Values, _behind: int) -> bool:
            nonlocal state
            state, verdict = chi2_sr.step(settings, state, (count(window),))
            return verdict.alarmed

        return judge

    return Windowing(COUNTED_ROWS, LEARNT_ROWS, learn)


def panes_of_losses() -> Windowing:
    """e_detector on panes of 50 bits; its baseline is the upper confidence bound (.9) of what was learnt."""

    def learn(values: Values) -> Judge:
        mean = upper_bound(len(values), float(values.sum()), 0.1)
        settings = e_detector.Settings(mean, RUN_LENGTH / PANE_ROWS, least=(0.0, 1.0))
        state = e_detector.start(settings)

        def judge(window: Values, behind: int) -> bool:
            nonlocal state
            worse = float(window.sum())
            state, verdict = e_detector.step(
                settings, state, Losses(float(behind), (len(window) - worse, worse), worse)
            )
            return verdict.alarmed

        return judge

    return Windowing(PANE_ROWS, LEARNT_ROWS, learn)


def beyond(distance: Callable[[NDArray[np.int64], NDArray[np.int64]], float], line: float) -> Windowing:
    """A report every 250 rows: is the distance beyond the line?"""

    def learn(values: Values) -> Judge:
        count = counting(values)
        reference = count(values)
        return lambda window, _behind: distance(count(window), reference) > line

    return Windowing(REPORT_ROWS, LEARNT_ROWS, learn, begin_anew=False)


def significant(level: float = 0.05) -> Windowing:
    """A report every 250 rows, as alibi-detect's KSDrift makes it: scipy's p-value of the raw values."""

    def learn(values: Values) -> Judge:
        return lambda window, _behind: ks_2samp(values, window, method="asymp").pvalue < level

    return Windowing(REPORT_ROWS, LEARNT_ROWS, learn, begin_anew=False)


def reports() -> dict[str, Windowing]:
    """By the trade's lines: PSI .2, Jensen–Shannon distance .1 (Evidently's), p < .05."""
    return {
        "PSI > .2": beyond(distances.psi, 0.2),
        "JS distance > .1": beyond(lambda a, b: distances.jensen_shannon(a, b) ** 0.5, 0.1),
        "KS > .1": beyond(distances.kolmogorov_smirnov, 0.1),
        "W1 > .1 sd": beyond(distances.wasserstein, 0.1),
        "KS p < .05": significant(),
    }
