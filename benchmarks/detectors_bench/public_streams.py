"""Public files as they are, once each and in no total: a static model's errors, or a column, with their changes.

A tree learns the first 1,500 rows; its errors on the rest are the stream. Changes stand where the sources put them
(../shared/data/MANIFEST.md): the three of each lobo file, INSECTS' documented one, the row of Elec2 from which three
of its columns move. Adult is the control: rows without an order. Of the taxi rides of New York the five labelled
windows of NAB begin so; a marathon is no change that stays, and all of the stream has a season. Files whose changes
nobody knows (NOAA, airlines, bikes) cannot be scored and are not here.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from detectors_bench.error_streams import DATA, LEARNT_ROWS, Rows, errors_of
from detectors_bench.streams import Source, Stream

CSV_CHANGES = {
    "lobo_sine_0123_abrupto": (10_000, 20_000, 30_000),
    "lobo_stagger_0120_abrupto": (10_000, 20_000, 30_000),
    "lobo_sea_0123_gradual_noise_0.2": (9_500, 20_000, 30_500),
    "insects_gradual_balanced": (14_028,),
    "elec2": (17_424,),
}


def table(name: str) -> Rows:
    """Features and labels of a file; labels that are words become numbers."""
    with gzip.open(DATA / f"{name}.csv.gz", "rt") as file:
        rows = list(csv.reader(file))[1:]
    labels = np.unique([row[-1] for row in rows], return_inverse=True)[1]
    return np.array([row[:-1] for row in rows], dtype=np.float64), labels.astype(np.float64)


ADULT_ROWS = 32_561
"""UCI's training part. In its test part labels are spelt otherwise and became other numbers in the file: to a model
all of it is wrong."""


def adult() -> Rows:
    with np.load(DATA / "adult.npz") as found:
        return found["X"][:ADULT_ROWS].astype(np.float64), found["y"][:ADULT_ROWS].astype(np.float64)


def errors(read: Callable[[], Rows], changes: tuple[int, ...]) -> Stream:
    """Of a tree that learnt the first rows; positions count from behind them."""
    x, y = read()
    found = errors_of((x[:LEARNT_ROWS], y[:LEARNT_ROWS]), (x[LEARNT_ROWS:], y[LEARNT_ROWS:]))
    return Stream(found, tuple(change - LEARNT_ROWS for change in changes), True)


def taxi() -> Stream:
    """Rides every half hour; a change where a labelled window begins."""
    with (DATA / "nab_nyc_taxi.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    windows = json.loads((DATA / "nab_combined_windows.json").read_text())["realKnownCause/nyc_taxi.csv"]
    times = [row["timestamp"] for row in rows]
    begins = [times.index(first[:19]) for first, _ in windows]
    return Stream(np.array([float(row["value"]) for row in rows]), tuple(begins), False)


def there(folder: Path = DATA) -> list[Source]:
    """Those whose files are there."""
    found: list[tuple[str, str, Callable[[], Stream]]] = [
        (f"{name}.csv.gz", f"public {name}", partial(errors, partial(table, name), changes))
        for name, changes in CSV_CHANGES.items()
    ]
    found.append(("adult.npz", "public adult, no change", partial(errors, adult, ())))
    found.append(("nab_nyc_taxi.csv", "public NAB taxi", taxi))
    return [
        Source(title, "", lambda _, draw=draw: draw()) for file, title, draw in found if (folder / file).is_file()
    ]
