"""Running numbers of a model over all versions: predictions and labels by role, and the observer's own counters.

``labelled`` and ``predictions`` count each outcome once: champion and history, not the challengers beside them; so
``labelled`` is the number of rows a model can be trained on, and never falls. By role: ``labelled_history``, and so
on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OWN = ("predictions", "labelled")
ONCE = ("champion", "history")
TOLD = ("never_labelled", "orphans", "duplicates", "amendments", "too_late")


@dataclass(slots=True)
class Totals:
    """``by_role``: {role: [predictions, labelled]}; ``counters``: the last of each source partition."""

    by_role: dict[str, list[int]] = field(default_factory=dict)
    counters: dict[int, dict[str, int]] = field(default_factory=dict)
    panes_too_late: int = 0
    _told: dict[str, int] | None = field(default=None, init=False, compare=False, repr=False)
    """Until something counts: every window that is told at an instant tells the same."""

    def add(self, role: str, predictions: int, labelled: int) -> None:
        """What a pane has brought."""
        known = self.by_role.setdefault(role, [0, 0])
        known[0] += predictions
        known[1] += labelled
        self._told = None

    def count(self, partition: int, counters: Mapping[str, int]) -> None:
        """The counters of a partition, which replace its last."""
        self.counters[partition] = dict(counters)
        self._told = None

    def too_late(self, panes: int) -> None:
        """They came for a window that is forgotten."""
        self.panes_too_late += panes
        self._told = None

    def told(self) -> dict[str, int]:
        """As a window tells them, names sorted."""
        if self._told is None:
            self._told = self._added_up()
        return self._told

    def _added_up(self) -> dict[str, int]:
        found = dict.fromkeys(TOLD, 0)
        for counters in self.counters.values():
            for name, count in counters.items():
                if name not in OWN:
                    found[name] = found.get(name, 0) + count
        for at, name in enumerate(OWN):
            found[name] = sum(counts[at] for role, counts in self.by_role.items() if role in ONCE)
            found |= {f"{name}_{role}": counts[at] for role, counts in self.by_role.items()}
        if self.panes_too_late:
            found["panes_too_late"] = self.panes_too_late
        return dict(sorted(found.items()))

    def to_json(self) -> dict[str, Any]:
        counters = {str(partition): counts for partition, counts in self.counters.items()}
        return {"by_role": self.by_role, "counters": counters, "panes_too_late": self.panes_too_late}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Totals:
        counters = {int(partition): counts for partition, counts in found["counters"].items()}
        return cls(dict(found["by_role"]), counters, found["panes_too_late"])
