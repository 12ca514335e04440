"""What a sequential test says of its state, worked out once a step: every window that is told asks for it anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from driftloop.detectors.verdict import Verdict

SettingsT = TypeVar("SettingsT")
StateT = TypeVar("StateT")


@dataclass(slots=True)
class LastVerdict(Generic[SettingsT, StateT]):
    """``verdict``: the detector's, of settings and a state. A state is never changed, so it is known by identity."""

    verdict: Callable[[SettingsT, StateT], Verdict]
    _of: tuple[SettingsT, StateT] | None = None
    _said: Verdict | None = None

    def keep(self, settings: SettingsT, state: StateT, said: Verdict) -> None:
        """A step has led to this state, and said so."""
        self._of, self._said = (settings, state), said

    def of(self, settings: SettingsT, state: StateT) -> Verdict:
        if self._said is None or self._of is None or self._of[1] is not state or self._of[0] != settings:
            self._of, self._said = (settings, state), self.verdict(settings, state)
        return self._said
