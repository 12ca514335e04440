"""What a run of many seeds has found so far, in a file: whatever ends the run, it goes on where it was.

The file is replaced as a whole after every seed, so that it can be read at any moment. Figures are those of the code
that made them: what another code has found stays beside them, under ``former``.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from .outcome import Outcome

ROOT = Path(__file__).resolve().parents[2]
DECIDES = ("schemas", "streams/observer", "streams/transport", "streams/fold.py", "tests/simulation")
"""What the outcome of a seed depends on."""
FAULTS_KEPT = 5


def code_of(root: Path = ROOT) -> str:
    """Hash of all sources that decide what becomes of a seed."""
    found = hashlib.sha256()
    for place in DECIDES:
        for path in sorted({root / place, *(root / place).rglob("*")}):
            if path.is_file() and path.suffix in (".py", ".avsc"):
                found.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:12]


class Record:
    """``counts``: by kind of world. ``done``: seeds, from ``first`` on."""

    def __init__(self, file: Path | None, first: int, code: str) -> None:
        self.file, self.first, self.code = file, first, code
        self.done, self.seconds = 0, 0.0
        self.counts: dict[str, Counter[str]] = {}
        self.failures: list[dict[str, Any]] = []
        self.former: list[dict[str, Any]] = []
        if file is not None and file.exists():
            self._go_on(json.loads(file.read_text()))

    def _go_on(self, found: dict[str, Any]) -> None:
        self.former = found.pop("former")
        if (found["code"], found["first_seed"]) != (self.code, self.first):
            self.former.append(found)
            return
        self.done, self.seconds = found["seeds_done"], found["seconds"]
        self.counts = {kind: Counter(counts) for kind, counts in found["counts"].items()}
        self.failures = found["failures"]

    @property
    def worlds(self) -> int:
        return sum(counts["worlds"] for counts in self.counts.values())

    def add(self, outcome: Outcome) -> None:
        counts = self.counts.setdefault(outcome.kind, Counter())
        counts.update(outcome.counts)
        counts["worlds"] += 1
        if outcome.faults:
            self.failures.append({"again": outcome.again, "faults": outcome.faults[:FAULTS_KEPT]})

    def seed_done(self, seconds: float) -> None:
        self.done += 1
        self.seconds += seconds
        self.save()

    def figures(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "first_seed": self.first,
            "seeds_done": self.done,
            "worlds": self.worlds,
            "seconds": round(self.seconds, 1),
            "counts": {kind: dict(sorted(counts.items())) for kind, counts in sorted(self.counts.items())},
            "failures": self.failures,
        }

    def save(self) -> None:
        if self.file is not None:
            part = self.file.with_name(self.file.name + ".part")
            part.write_text(json.dumps(self.figures() | {"former": self.former}, indent=1) + "\n")
            part.replace(self.file)
