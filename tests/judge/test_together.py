"""A join gone wrong: each number is as it always was, and stands in another's row. From records to the alarm, as a
replay runs them, no broker."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from driftloop.console.replay.report import Replayed, drifts, windows_of
from driftloop.console.replay.rows_past import RowsPast
from driftloop.console.replay.run import ALWAYS, replay
from driftloop.schemas.monitor.together import NAME

DAY, START, ROWS = 86_400.0, 1_700_006_400.0, 300
MONITOR = """model = "loans"
classes = ["repaid", "default"]
[features]
amount = "numeric"
income = "numeric"
age = "numeric"
{}
[time]
horizon = "1 d"
window = "1 d"
[alarms]
budget = "1 per year"
"""


def write(file: Path, first_day: int, days: int, mixed_up_after: int | None = None) -> Path:
    """Income and amount correlate by .8, until the column of amounts comes from other rows."""
    rng = np.random.default_rng(first_day + 100)
    with file.open("w", newline="") as opened_file:
        out = csv.writer(opened_file)
        out.writerow(["event_time", "score", "predicted", "label", "amount", "income", "age"])
        for day in range(days):
            income, age = rng.normal(size=ROWS), rng.normal(40, 10, ROWS)
            amount = np.exp(0.8 * income + 0.6 * rng.normal(size=ROWS))
            if mixed_up_after is not None and day >= mixed_up_after:
                amount = rng.permutation(amount)
            for i in range(ROWS):
                when = START + (first_day + day) * DAY + i * DAY / ROWS
                out.writerow([when, 0.5, "repaid", "", amount[i], income[i], age[i]])
    return file


def replayed(folder: Path, said: str) -> Replayed:
    spec = folder / "loans.toml"
    spec.write_text(MONITOR.format(said))
    records, past = write(folder / "live.csv", 0, 40, mixed_up_after=30), write(folder / "past.csv", -20, 20)
    with RowsPast(records, "loans") as rows:
        return replay(rows, "loans", spec, past, ALWAYS, lambda _done, _of: None)


def test_what_no_feature_shows_by_itself_is_found_together(tmp_path: Path) -> None:
    by_itself, together = replayed(tmp_path, ""), replayed(tmp_path, "[multivariate]")
    assert drifts(by_itself) == [], "no feature has changed"
    alarms = drifts(together)
    assert {(a.detector, a.feature, a.unit) for a in alarms} == {("whitened_covariance", NAME, "variance")}
    first = alarms[0]
    assert 30 <= (first.window_start - START) / DAY <= 33
    assert first.paging
    window = next(w for w in windows_of(together) if w.window_start == first.window_start)
    assert (window.status, window.status_reason) == ("DRIFT", f"drift of {NAME}")
    told = {test.name: test for test in window.tests}
    assert list(told) == ["window_csr", "multivariate", f"rff_mmd:{NAME}", f"whitened_covariance:{NAME}"]
    assert told["multivariate"].threshold == pytest.approx(3 * 365.2425), "a third of the budget"
    assert {f.feature for w in windows_of(together) for f in w.features} == {"amount", "income", "age"}
