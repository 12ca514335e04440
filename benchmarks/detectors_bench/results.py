"""The rows of the table: written when they are there, and taken up again by the next run.

The file is a list of rows, one a line. A row counts as done if stream, detector, seed and replicates are the same, so
a run that was interrupted goes on, and one with other replicates measures anew. Totals are added up from the rows at
the end; a row brings its delays for that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from detectors_bench.scoring import Tally

Row = dict[str, Any]
TOTAL = "total: "


class Results:
    """``path`` None: kept in memory only. ValueError: the file there is none of ours."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: list[Row] = []
        if path and path.exists():
            try:
                self.rows = [row for row in json.loads(path.read_text()) if not row["stream"].startswith(TOTAL)]
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{path} is no table of this benchmark ({error}): name another file") from error

    def done(self, row: Row) -> bool:
        """Is there one of the same stream, detector, seed and replicates?"""
        return any(all(old.get(key) == value for key, value in row.items()) for old in self.rows)

    def add(self, row: Row) -> None:
        """Instead of an older one of the same stream and detector."""
        same = (row["stream"], row["detector"])
        self.rows = [old for old in self.rows if (old["stream"], old["detector"]) != same] + [row]
        self.write(self.rows)

    def write(self, rows: Iterable[Row]) -> None:
        """All of it or nothing: a run may be killed at any moment."""
        if self.path:
            lines = ",\n".join(json.dumps(row) for row in rows)
            beside = self.path.with_name(self.path.name + ".part")
            beside.write_text(f"[\n{lines}\n]\n")
            beside.replace(self.path)


def totals(rows: Iterable[Row], groups: dict[str, str]) -> list[Row]:
    """A row a group of streams and detector; ``groups`` by stream, empty: none."""
    found: dict[tuple[str, str], Tally] = {}
    for row in rows:
        if group := groups.get(row["stream"]):
            found.setdefault((group, row["detector"]), Tally()).add(Tally.of_row(row))
    return [
        {key: value for key, value in tally.row(TOTAL + group, name).items() if key != "delays"}
        for (group, name), tally in found.items()
    ]
