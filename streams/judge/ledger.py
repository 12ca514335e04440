"""The books of one model: panes that count, the windows they make up, running totals, the delay curve.

``apply`` counts a pane in, ``matured`` hands out panes whose horizon has passed, ``closing`` the windows to be told,
``forget`` drops what is over. Panes of role history count for totals and delays only; no window of theirs is told.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from driftloop.schemas.codec import encode
from driftloop.schemas.events import OffsetRange
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge import windows
from driftloop.streams.judge.champion import natural
from driftloop.streams.judge.editions import Editions
from driftloop.streams.judge.labels.forecasts import Delays
from driftloop.streams.judge.state import Group, Key, Records, Store, bytes_of, counted_key, key, pane_of
from driftloop.streams.judge.sums import PaneSums, ranges
from driftloop.streams.judge.totals import Totals
from driftloop.streams.judge.waiting import Pending
from driftloop.streams.judge.windows import Counted, LastTold, Window

CHAMPION, HISTORY = "champion", "history"
LEARNS_DELAYS = (CHAMPION, HISTORY)


class Ledger:
    """``done``: the last instant worked off; whatever is at or before it has matured, or been told."""

    def __init__(self, editions: Editions, store: Store) -> None:
        self.editions = editions
        self.store = store
        self.done = -math.inf
        self.windows: dict[tuple[Group, float], Window] = {}
        self.totals = Totals()
        self.delays = Delays()
        self._maturing: list[tuple[float, float, Group]] = []
        self._corrected: set[tuple[Group, float]] = set()
        self._last_told = LastTold()

    def apply(self, run: Sequence[Pending], now: float) -> bool:
        """Count a run of features or labels panes in at ``now``. False: their window has been forgotten.

        Panes of segments come beside those of the whole: they are counted in their window, and in nothing else.
        """
        pane = run[0].pane
        group = Group(pane.version, pane.role, pane.spec)
        edition = self.editions[pane.spec]
        specification, layout = edition.specification, edition.layout_of(pane)
        start = windows.start_of(specification, pane.pane_start)
        if windows.forgotten_at(specification, start) <= now:
            if not pane.segment:
                self.totals.too_late(len(run))
            return False
        window = self.windows.get((group, start)) or self._open(group, start, pane.model)
        counted = [_counted(one) for one in run]
        for name, _, kept in counted:
            self.store.put(name, partial(bytes_of, kept))
        if pane.segment:
            window.apply(layout, counted)
            return True
        self._watch(window, pane.pane_start, now)
        self.totals.add(pane.role, *window.apply(layout, counted))
        if pane.role != HISTORY and windows.last_closing(specification, start) < now:
            self._corrected.add((group, start))
        return True

    def next_instant(self) -> float:
        """The next at which a pane matures or a window closes; infinity: none is known."""
        found = self._maturing[0][0] if self._maturing else math.inf
        for (group, start), window in self.windows.items():
            if group.role != HISTORY and window.panes:
                for instant, _ in windows.closings(self.editions[group.spec].specification, start):
                    if instant > self.done:
                        found = min(found, instant)
                        break
        return found

    def matured(self, now: float) -> Iterator[tuple[Group, float, PaneSums]]:
        """(group, pane start, sums) of each pane whose horizon passes at ``now``, in order of time."""
        while self._maturing and self._maturing[0][0] <= now:
            _, start, group = heapq.heappop(self._maturing)
            specification = self.editions[group.spec].specification
            sums = self.windows[group, windows.start_of(specification, start)].panes[start]
            if group.role in LEARNS_DELAYS:
                self.delays = self.delays.under(specification.delay_edges_seconds)
                self.delays.curve.learn(
                    specification.pane_seconds, sums.predictions, sums.labelled, sums.by_class.tolist()
                )
            yield group, start, sums

    def closing(self, now: float) -> list[tuple[str, Window]]:
        """(closing, window) of all that are to be told at ``now``: by start, version, role, specification."""
        found = []
        for (group, start), window in self.windows.items():
            if group.role == HISTORY or not window.panes:
                continue
            due = [
                closing
                for instant, closing in windows.closings(self.editions[group.spec].specification, start)
                if self.done < instant <= now
            ]
            if (group, start) in self._corrected:
                due.append(windows.LABELS_CLOSING)
            if due:
                found.append((due[-1], window))
        self._corrected.clear()
        return sorted(found, key=lambda f: (f[1].start, natural(f[1].group.version), f[1].group))

    def champion_windows(self, start: float, spec: str) -> list[Window]:
        """The windows with that start of every champion of this specification."""
        return [
            window
            for (group, begun), window in self.windows.items()
            if begun == start and group.role == CHAMPION and group.spec == spec and window.panes
        ]

    def offsets(self, group: Group, since: float, until: float) -> tuple[OffsetRange, ...]:
        """Source offsets of the group's panes that start within [since, until], as far as they are remembered."""
        return ranges(
            sums
            for (whose, _), window in self.windows.items()
            if whose == group
            for start, sums in window.panes.items()
            if since <= start <= until
        )

    def champion_offsets(self, spec: str, since: float, until: float) -> tuple[OffsetRange, ...]:
        """Of every champion's windows that start within [since, until]."""
        return ranges(
            sums
            for (group, begun), window in self.windows.items()
            if group.role == CHAMPION and group.spec == spec and since <= begun <= until
            for sums in window.panes.values()
        )

    def labels_due(self, specification: MonitorSpecification, since: float, now: float) -> float:
        """Labels of the champions that the delay curve expects to have become known within (since, now]."""
        edges = specification.delay_edges_seconds
        curve = self.delays.under(edges).curve
        if curve.predictions <= 0:
            return 0.0
        predictions = [0] * len(edges)  # whole numbers first: whatever the order of the windows, the sum is the same
        for (group, start), window in self.windows.items():
            own = self.editions[group.spec].specification
            if group.role != CHAMPION or own.delay_edges_seconds != edges:
                continue
            for k, edge in enumerate(edges):
                first, last = since - edge - own.pane_seconds, now - edge - own.pane_seconds
                if first - own.window_seconds < start <= last:
                    predictions[k] += sum(p.predictions for at, p in window.panes.items() if first < at <= last)
        return sum(n * share for n, share in zip(predictions, curve.labelled, strict=True)) / curve.predictions

    @property
    def labels_came(self) -> int:
        """Of the champions, ever."""
        return self.totals.by_role.get(CHAMPION, [0, 0])[1]

    def told(self, window: Window, model: str) -> None:
        """The window has been told under its revision; the next has the next."""
        window.revision += 1
        self._last_told.add(window)
        self.store.put_json(key("window", model, *window.group, window.start), window.notes)

    def empty_window(self, group: Group, start: float, model: str) -> Window:
        """The window of a group that has no pane in it."""
        return self.windows.get((group, start)) or self._open(group, start, model)

    def forget(self, now: float, model: str) -> None:
        """Drop the windows to which nothing is added any more."""
        self.done = now
        for group, start in list(self.windows):
            if windows.forgotten_at(self.editions[group.spec].specification, start) <= now:
                window = self.windows.pop((group, start))
                self.store.drop(key("window", model, *group, start))
                for name in window.applied:
                    self.store.drop(name)

    def to_json(self) -> dict[str, Any]:
        return {
            "done": None if self.done == -math.inf else self.done,
            "totals": self.totals.to_json(),
            "curve": [self.delays.curve.predictions, self.delays.curve.labelled, list(self.delays.edges)],
            "delays": self.delays.to_json(),
        }

    def restore(self, found: Mapping[str, Any], records: Records) -> None:
        """Back from the records of this model."""
        self.done = -math.inf if found["done"] is None else found["done"]
        self.totals = Totals.from_json(found["totals"])
        self.delays = Delays.from_json(found["curve"], found.get("delays", {}))
        for _, (*group, start), value in records.get("window", []):
            whose = Group(*group)
            self.windows[whose, start] = Window.noted(whose, start, json.loads(value))
        for name, _, value in records.get("pane", []):
            self._restore_pane(name, value)

    def _restore_pane(self, name: Key, raw: bytes) -> None:
        pane = pane_of(raw)
        group = Group(pane.version, pane.role, pane.spec)
        edition = self.editions[pane.spec]
        window = self.windows[group, windows.start_of(edition.specification, pane.pane_start)]
        if not pane.segment:
            self._watch(window, pane.pane_start, self.done)
        window.apply(edition.layout_of(pane), [Counted(name, pane, raw)])

    def _open(self, group: Group, start: float, model: str) -> Window:
        window = self.windows[group, start] = Window(group, start)
        self.store.put_json(key("window", model, *group, start), window.notes)
        return window

    def _watch(self, window: Window, pane_start: float, now: float) -> None:
        """A pane that is new, and whose horizon has not passed, will mature."""
        instant = windows.matures_at(self.editions[window.group.spec].specification, pane_start)
        if pane_start not in window.panes and instant > now:
            heapq.heappush(self._maturing, (instant, pane_start, window.group))


def _counted(waiting: Pending) -> Counted:
    pane, kept = waiting.pane, waiting.kept
    if pane.role == HISTORY:
        pane = windows.counts_only(pane)
        kept = encode(pane) if isinstance(kept, bytes) else pane
    return Counted(counted_key(waiting.name), pane, kept)
