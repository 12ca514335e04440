"""The simulation of the protocol has teeth: break any of its rules, and one of the first seeds tells."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from driftloop.streams.fold import Output
from driftloop.streams.transport.fetching.batches import RecordBatch
from driftloop.streams.transport.fetching.consumer_thread import BatchThread, Seek
from driftloop.streams.transport.partition import Partition
from driftloop.streams.transport.partitions import Partitions
from driftloop.streams.transport.state import following
from driftloop.streams.transport.state.checkpoints import Checkpoints
from driftloop.streams.transport.state.writer import StateRecord, Writer

from . import protocol
from .kafka import Broker
from .worker import SimulatedThread

pytestmark = pytest.mark.filterwarnings("ignore")
SEEDS_MOST = 150

plain_write = Writer.write


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def the_header_is_written_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    def write(self: Writer, state: Iterable[StateRecord], outputs: Iterable[Output]) -> bool:
        records = list(state)
        return plain_write(self, records[:-1], outputs) and plain_write(self, records[-1:], [])

    patch.setattr(Writer, "write", write)


def outputs_follow_in_a_transaction_of_their_own(patch: pytest.MonkeyPatch) -> None:
    def write(self: Writer, state: Iterable[StateRecord], outputs: Iterable[Output]) -> bool:
        return plain_write(self, list(state), []) and plain_write(self, [], list(outputs))

    patch.setattr(Writer, "write", write)


def seeks_go_too_far_back(patch: pytest.MonkeyPatch) -> None:
    """No mistake as long as batches are cut."""
    plain = BatchThread.seek_to

    async def seek_to(self: Any, seeks: Iterable[Seek]) -> None:
        await plain(self, [seek._replace(offset=max(0, seek.offset - 3)) for seek in seeks])

    patch.setattr(SimulatedThread, "seek_to", seek_to)


def a_batch_is_not_cut(patch: pytest.MonkeyPatch) -> None:
    """What was absorbed comes twice; here the fold says so itself."""
    seeks_go_too_far_back(patch)
    patch.setattr(RecordBatch, "after", lambda self, _offset: self)


def batches_of_an_older_seek_are_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Partitions, "is_current", lambda _self, _batch: True)
    patch.setattr(RecordBatch, "before", property(lambda _self: -1, lambda _self, _before: None), raising=False)


def a_hole_is_not_noticed(patch: pytest.MonkeyPatch) -> None:
    plain = Partitions.take

    def take(self: Partitions, batch: RecordBatch) -> None:
        batch.before = -1
        plain(self, batch)

    patch.setattr(Partitions, "take", take)


def nobody_is_fenced(patch: pytest.MonkeyPatch) -> None:
    """The producer is opened without a new epoch."""

    def init(self: Broker, owner: str) -> int:
        self.answer()
        self.end_open(owner, "aborted")
        return self.epochs.setdefault(owner, 0)

    patch.setattr(Broker, "init", init)


def a_parked_partition_fences_instead_of_proving(patch: pytest.MonkeyPatch) -> None:
    """It takes the id anew and goes on from memory, though somebody else may have had it meanwhile."""

    async def still_ours(self: Checkpoints, part: Partition) -> bool:
        await self.idle(part)
        if part.gone or part.fold is None:
            return False
        await asyncio.get_running_loop().run_in_executor(None, part.writer.open, lambda: True)
        return True

    patch.setattr(Checkpoints, "still_ours", still_ours)


def an_aborted_transaction_is_not_reloaded(patch: pytest.MonkeyPatch) -> None:
    async def aborted(_self: Checkpoints, part: Partition) -> None:
        part.changed = True

    patch.setattr(Checkpoints, "_aborted", aborted)


def the_group_is_told_what_was_absorbed(patch: pytest.MonkeyPatch) -> None:
    plain = following.follow

    async def follow(thread: Any, parts: Iterable[Partition]) -> bool:
        parts = list(parts)
        for part in parts:
            part.saved = dict(part.absorbed)
        return await plain(thread, parts)

    patch.setattr("driftloop.streams.transport.partitions.follow", follow)


def epochs_outlive_an_assignment(patch: pytest.MonkeyPatch) -> None:
    """As it was: a seek under way during the revocation left its epoch for the next assignment."""
    patch.setattr(SimulatedThread, "forget_epochs", lambda _self: None)


def what_a_change_of_assignment_refused_counts_as_told(patch: pytest.MonkeyPatch) -> None:
    """As it was."""
    plain = BatchThread.commit_following

    async def commit_following(self: Any, offsets: Any) -> bool:
        await plain(self, offsets)
        return True

    patch.setattr(SimulatedThread, "commit_following", commit_following)


MISTAKES = [
    the_header_is_written_outside_the_transaction,
    outputs_follow_in_a_transaction_of_their_own,
    a_batch_is_not_cut,
    batches_of_an_older_seek_are_taken,
    a_hole_is_not_noticed,
    nobody_is_fenced,
    a_parked_partition_fences_instead_of_proving,
    an_aborted_transaction_is_not_reloaded,
    the_group_is_told_what_was_absorbed,
    epochs_outlive_an_assignment,
    what_a_change_of_assignment_refused_counts_as_told,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_is_caught(mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mistake(monkeypatch)
    assert any(protocol.simulate(seed).faults for seed in range(SEEDS_MOST)), mistake.__doc__


def test_a_seek_too_far_back_is_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    seeks_go_too_far_back(monkeypatch)
    for seed in range(20):
        assert not protocol.simulate(seed).faults
