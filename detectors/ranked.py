"""The functions of a detector that is one score a window, made from that: window_csr.py ranks it among the others.

start, step, to_bytes, from_bytes = face(score)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from driftloop.detectors import window_csr
from driftloop.detectors.verdict import Verdict
from driftloop.detectors.window_csr import Scores, State

BOUND = window_csr.BOUND


class HasThreshold(Protocol):
    @property
    def threshold(self) -> float: ...


Settings = TypeVar("Settings", bound=HasThreshold)
Seen = TypeVar("Seen")


class Window(NamedTuple, Generic[Seen]):
    """What a window shows, and the number in 0..1 that breaks ties of its score (window_csr.uniform_of)."""

    seen: Seen
    uniform: float


class Face(NamedTuple, Generic[Settings, Seen]):
    """``start(settings)``: nothing seen; the restart after an alarm, too. ``step(settings, state, window)``: rank one
    window; a score of NaN is no step. ``to_bytes(state)`` and ``from_bytes(data)``, ValueError: bytes of another."""

    start: Callable[[Settings], State]
    step: Callable[[Settings, State, Window[Seen]], tuple[State, Verdict]]
    to_bytes: Callable[[State], bytes]
    from_bytes: Callable[[bytes], State]


def face(score: Callable[[Settings, Seen], float]) -> Face[Settings, Seen]:
    """``score(settings, seen)``: larger, the further from the reference; NaN where nothing was seen."""

    def one(settings: Settings) -> window_csr.Settings:
        return window_csr.Settings(1, settings.threshold)

    def start(settings: Settings) -> State:
        return window_csr.start(one(settings))

    def step(settings: Settings, state: State, window: Window[Seen]) -> tuple[State, Verdict]:
        found = score(settings, window.seen)
        return window_csr.step(one(settings), state, Scores((found,), (window.uniform,)))

    return Face(start, step, window_csr.to_bytes, window_csr.from_bytes)
