"""Rows of a file replayed, no broker: windows count what the rows say, labels when they became known."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftloop.console.replay.report import Replayed, windows_of
from driftloop.console.replay.rows_past import RowsPast
from driftloop.console.replay.run import ALWAYS, replay
from driftloop.console.replay.saved import is_saved
from driftloop.schemas.errors import ConfigError

HOUR, DAY = 3_600.0, 86_400.0
START = 1_700_006_400.0  # 2023-11-15 00:00 UTC
MONITOR = """model = "loans"
classes = ["repaid", "default"]
[features]
amount = "numeric"
grade = "categorical"
text = { kind = "embedding", width = 2 }
[time]
horizon = "2 d"
window = "1 d"
"""


def rows(first_day: int, days: int) -> list[dict[str, Any]]:
    """144 a day; five of six have a label, some of them after the horizon."""
    rng, found = random.Random(first_day), []
    for i in range(days * 144):
        when, score = START + first_day * DAY + i * 600.0, rng.random()
        label = None if i % 6 == 5 else rng.random() < score
        found.append(
            {
                "event_time": when,
                "score": score,
                "predicted": "default" if score > 0.5 else "repaid",
                "label": "" if label is None else label,
                "label_time": "" if label is None else when + (3 * DAY if i % 60 == 0 else rng.random() * DAY),
                "amount": rng.gauss(0, 1),
                "grade": rng.choice(["A", "B", ""]),
                "text": rng.choice(["", f"[{rng.random()}, {rng.random()}]"]),
            }
        )
    return found


def write(file: Path, found: list[dict[str, Any]], *without: str) -> Path:
    with file.open("w", newline="") as opened:
        out = csv.DictWriter(opened, [name for name in found[0] if name not in without], extrasaction="ignore")
        out.writeheader()
        out.writerows(found)
    return file


def replayed(tmp_path: Path, records: Path, reference: Path | None) -> Replayed:
    spec = tmp_path / "loans.toml"
    spec.write_text(MONITOR)
    with RowsPast(records, "loans") as past:
        return replay(past, "loans", spec, reference, ALWAYS, lambda _done, _of: None)


def test_windows_of_rows_count_what_the_rows_say(tmp_path: Path) -> None:
    live = rows(0, 6)
    records, reference = write(tmp_path / "live.csv", live), write(tmp_path / "past.csv", rows(-10, 10))
    found = replayed(tmp_path, records, reference)
    assert (found.is_live, found.verdict, found.dead_letters) == (False, None, 0)
    told = [w for w in windows_of(found) if w.predictions]
    assert [(w.predictions, w.closing) for w in told] == [(144, "labels")] * 6
    for day, window in enumerate(told):
        own = live[144 * day : 144 * (day + 1)]
        known = [r for r in own if r["label"] != "" and r["label_time"] - r["event_time"] <= 2 * DAY]
        assert window.labelled == len(known) < 120
        losses = [-np.log(r["score"] if r["label"] else 1 - r["score"]) for r in known]
        assert window.metrics["log_loss"].value == pytest.approx(np.mean(losses))
        assert {f.feature for f in window.features} >= {"amount", "grade"}
        assert window.reference

    at_once = replayed(tmp_path, write(tmp_path / "at_once.csv", live[:144], "label_time"), reference)
    assert [w.labelled for w in windows_of(at_once) if w.predictions] == [120]
    assert found.records == 6 * (144 + 120) + 2


def test_rows_need_bins_and_cells_that_can_be_read(tmp_path: Path) -> None:
    records = write(tmp_path / "live.csv", rows(0, 1))
    assert not is_saved(records)
    with pytest.raises(ConfigError, match="nobody has found the bins of amount, grade yet") as told:
        replayed(tmp_path, records, None)
    assert "--reference rows.csv" in told.value.hint
    late = rows(0, 1)
    late[1]["label_time"] = "soon"
    with pytest.raises(ConfigError, match=r"live\.csv:3: label_time is 'soon', no event time"):
        replayed(tmp_path, write(records, late), write(tmp_path / "past.csv", rows(-3, 3)))
