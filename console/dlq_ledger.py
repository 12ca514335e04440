"""What lies in the dead-letter topic, folded: letters by reason, topic and service, and which have been replayed.

Pure. A letter costs some 60 bytes here and its record nothing, so that a flood of millions can be looked through. Two
letters of the same record (a rewound worker refuses it once more) are one to a replay.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from driftloop.schemas.deadletter import Header
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.letters import Letter, is_marker, marked, read_letter
from numpy.typing import NDArray

FOREIGN = "no-dead-letter"
"""The reason under which records are listed that no service of ours has written."""


class Place(NamedTuple):
    """Where a letter stands in the dead-letter topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Selection(NamedTuple):
    """Which letters are meant; an empty part means any. ``topic``: the full name of the record's own."""

    reason: str = ""
    topic: str = ""
    places: Collection[Place] = ()

    def has(self, place: Place, letter: Letter) -> bool:
        """Is this letter one of them?"""
        return (
            self.reason in ("", letter.reason)
            and self.topic in ("", letter.topic)
            and (not self.places or place in self.places)
        )


class Group(NamedTuple):
    """Letters of one reason, topic and service. Times in ms, of refusal; ``came_back``: replayed, refused again."""

    reason: str
    topic: str
    service: str
    letters: int
    replayed: int
    came_back: int
    first_ms: int
    last_ms: int


class Ledger:
    """Fold over the records of the dead-letter topic, in order within a partition."""

    def __init__(self, selection: Selection = Selection()) -> None:  # noqa: B008
        self.selection = selection
        self._names: dict[tuple[str, str, str], int] = {}
        self._group, self._partition = array("l"), array("l")
        self._selected, self._replays = array("b"), array("b")
        self._offset, self._refused_ms = array("q"), array("q")
        self._source = array("q")  # partition, offset, time of the original: three a letter
        self._marked: dict[int, array[int]] = {}

    def __len__(self) -> int:
        return len(self._offset)

    def absorb(
        self, place: Place, timestamp_ms: int, headers: Sequence[Header] | None, value: bytes | None
    ) -> Letter | None:
        """Take a record in; the letter, if it is one that was selected."""
        if is_marker(headers):
            self._marked.setdefault(place.partition, array("q")).extend(marked(value))
            return None
        try:
            letter = read_letter(headers)
        except BadRecord as error:
            letter = Letter("", -1, -1, "", FOREIGN, error.message, timestamp_ms, 0, ())
        selected = self.selection.has(place, letter)
        name = (letter.reason, letter.topic, letter.service)
        self._group.append(self._names.setdefault(name, len(self._names)))
        self._selected.append(selected)
        self._partition.append(place.partition)
        self._offset.append(place.offset)
        self._refused_ms.append(timestamp_ms)
        self._replays.append(min(letter.replays, 127))
        self._source.extend((letter.partition, letter.offset, letter.timestamp_ms))
        return letter if selected else None

    def groups(self) -> list[Group]:
        """The largest first."""
        done, times = self._done(), np.asarray(self._refused_ms)
        group, replays = np.asarray(self._group), np.asarray(self._replays)
        selected = np.asarray(self._selected, np.bool_)
        found = []
        for name, number in self._names.items():
            own = (group == number) & selected
            if not own.any():
                continue
            counts = int(own.sum()), int(done[own].sum()), int((replays[own] > 0).sum())
            found.append(Group(*name, *counts, int(times[own].min()), int(times[own].max())))
        return sorted(found, key=lambda g: (-g.letters, g[:3]))

    def replayed(self, place: Place) -> bool:
        """A marker names this letter."""
        return place.offset in self._marked.get(place.partition, ())

    def to_replay(self, again: bool = False) -> set[Place]:
        """Of every record one letter, the first, unless it was replayed; ``again``: also then."""
        wanted = np.asarray(self._selected, np.bool_) & self._known()
        if not again:
            wanted &= ~self._done()
        rows = np.flatnonzero(wanted)
        chosen = rows[np.unique(self._records()[rows], return_index=True)[1]]
        return {Place(self._partition[i], self._offset[i]) for i in chosen.tolist()}

    def same_record(self, chosen: set[Place]) -> dict[Place, list[Place]]:
        """By chosen letter: all letters of the same record, itself included, where there are several."""
        records = self._records()
        by_record: dict[int, list[Place]] = {}
        for i in np.flatnonzero(np.bincount(records, minlength=1)[records] > 1).tolist():
            by_record.setdefault(int(records[i]), []).append(Place(self._partition[i], self._offset[i]))
        return {place: found for found in by_record.values() for place in found if place in chosen}

    def _records(self) -> NDArray[np.int64]:
        """int64[n]: equal for letters of the same record of the same topic."""
        if not len(self):
            return np.empty(0, np.int64)
        rows = np.asarray(self._source).reshape(-1, 3)
        numbers = {topic: i for i, (_, topic, _) in enumerate(self._names)}
        topics = np.array([numbers[topic] for _, topic, _ in self._names], np.int64)[np.asarray(self._group)]
        return np.unique(np.column_stack((topics, rows)), axis=0, return_inverse=True)[1].reshape(-1)

    def _known(self) -> NDArray[np.bool_]:
        """bool[n]: they say where they come from."""
        return np.asarray(self._source).reshape(-1, 3)[:, 1] >= 0

    def _done(self) -> NDArray[np.bool_]:
        """bool[n]: this letter, or another of the same record, was replayed."""
        partitions, offsets = np.asarray(self._partition), np.asarray(self._offset)
        done = np.zeros(len(self), np.bool_)
        for partition, names in self._marked.items():
            done |= (partitions == partition) & np.isin(offsets, np.asarray(names))
        if not done.any():
            return done
        records = self._records()
        return np.asarray(np.bincount(records, weights=done)[records] > 0) & self._known() | done
