"""What a drift pass over 100,000 x 10 values takes other libraries. Runs in the peers' environment.

    python drift_pass.py SEED         the last line: [{"detector", "found_drifted", "seconds": [...]}]

What a library can prepare from the reference is prepared before the clock starts; CPU seconds, one thread. In the way
of notes/peers.md: Evidently's preset, NannyML's calculate (KS and JS, chi-square and JS, ten chunks; JS alone and one
chunk beside it), the statistics of alibi-detect's TabularDrift (scipy's KS a numeric column, chi-square a categorical
one), frouros' KS test a numeric column.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from pass_data import CATEGORICAL, CATEGORIES, NUMERIC, columns

REPEATS = 5
Columns = dict[str, np.ndarray]
Pass = Callable[[], int]
NUMBERS = [f"n{i}" for i in range(NUMERIC)]
NAMES = [f"c{i}" for i in range(CATEGORICAL)]


def evidently(reference: Columns, current: Columns) -> Pass:
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(numerical_columns=NUMBERS, categorical_columns=NAMES)
    known, new = (Dataset.from_pandas(pd.DataFrame(c), data_definition=definition) for c in (reference, current))

    def one() -> int:
        found = Report([DataDriftPreset()]).run(new, known).dict()
        return int(next(m["value"]["count"] for m in found["metrics"] if "DriftedColumnsCount" in m["metric_name"]))

    return one


def nannyml(reference: Columns, current: Columns, both: bool, chunks: int) -> Pass:
    import nannyml as nml
    import pandas as pd

    calculator = nml.UnivariateDriftCalculator(
        column_names=NUMBERS + NAMES,
        continuous_methods=["kolmogorov_smirnov", "jensen_shannon"] if both else ["jensen_shannon"],
        categorical_methods=["chi2", "jensen_shannon"] if both else ["jensen_shannon"],
        chunk_number=chunks,
    )
    calculator.fit(pd.DataFrame(reference))
    frame = pd.DataFrame(current)

    def one() -> int:
        found = calculator.calculate(frame).filter(period="analysis").to_df()
        return sum(bool(found[(name, "jensen_shannon", "alert")].any()) for name in NUMBERS + NAMES)

    return one


def as_alibi_detect(reference: Columns, current: Columns) -> Pass:
    """p-values at .05 / 10; counts of the reference's categories are prepared."""
    from scipy.stats import chi2_contingency, ks_2samp

    def counts(values: np.ndarray) -> list[int]:
        return [int((values == category).sum()) for category in CATEGORIES]

    known = {name: counts(reference[name]) for name in NAMES}

    def one() -> int:
        p = [ks_2samp(reference[name], current[name], method="asymp").pvalue for name in NUMBERS]
        p += [chi2_contingency([known[name], counts(current[name])])[1] for name in NAMES]
        return int(np.count_nonzero(np.array(p) < 0.05 / len(p)))

    return one


def frouros(reference: Columns, current: Columns) -> Pass:
    """Numeric columns only, so of 8 of the 10."""
    from frouros.detectors.data_drift import KSTest

    fitted = {}
    for name in NUMBERS:
        fitted[name] = KSTest()
        fitted[name].fit(X=reference[name])

    def one() -> int:
        found = [fitted[name].compare(X=current[name], method="asymp")[0].p_value for name in NUMBERS]
        return int(np.count_nonzero(np.array(found) < 0.05 / len(found)))

    return one


def timed(one: Pass) -> dict[str, Any]:
    found, seconds = one(), []
    for _ in range(REPEATS):
        start = time.process_time()
        found = one()
        seconds.append(time.process_time() - start)
    return {"found_drifted": found, "seconds": seconds}


def main(seed: int) -> None:
    warnings.simplefilter("ignore")
    reference, current = columns(seed, 0), columns(seed, 1)
    makers: dict[str, Callable[[], Pass]] = {
        "evidently": lambda: evidently(reference, current),
        "nannyml KS, chi2, JS in 10 chunks": lambda: nannyml(reference, current, True, 10),
        "nannyml JS in 10 chunks": lambda: nannyml(reference, current, False, 10),
        "as alibi-detect": lambda: as_alibi_detect(reference, current),
        "frouros KS": lambda: frouros(reference, current),
    }
    print(json.dumps([{"detector": name} | timed(make()) for name, make in makers.items()]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
