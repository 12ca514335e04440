"""What came of one seed."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """``kind``: core, protocol, reset or reset-anywhere. ``faults``: sentences. ``counts``: records, crashes, …"""

    kind: str
    seed: int
    faults: list[str]
    counts: dict[str, int]

    @property
    def again(self) -> str:
        """How to see it again."""
        return f"python -m tests.simulation.simulate --{self.kind} {self.seed}"
