"""What one poll has brought travels as one; what waits is counted, so that it stays bounded."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from driftloop.streams.transport.fetching.batches import RecordBatch
from driftloop.streams.transport.fetching.bundle import BUNDLES_WAITING_MOST, RECORDS_WAITING_MOST, Bundle, Waiting


def batch(topic: str, partition: int, first: int, count: int = 1) -> RecordBatch:
    return RecordBatch(topic, partition, [SimpleNamespace(offset=first + i) for i in range(count)])


def test_batches_of_one_number_travel_side_by_side_and_the_last_says_so() -> None:
    fetched = [batch("p", 1, 5), batch("p", 0, 0), batch("p", 0, 1), batch("t", 1, 9), batch("t", 0, 4)]
    bundle = Bundle(fetched)
    assert [(b.topic, b.partition, b.first, b.more) for b in bundle.batches] == [
        ("p", 0, 0, True),
        ("p", 0, 1, True),
        ("t", 0, 4, False),
        ("p", 1, 5, True),
        ("t", 1, 9, False),
    ]
    assert len(bundle) == 5


def test_the_rest_of_a_batch_is_still_followed() -> None:
    first, second = Bundle([batch("p", 0, 0, 4), batch("t", 0, 0)]).batches
    rest = first.after(1)
    assert rest is not None
    assert (rest.offsets, rest.more, second.more) == ([2, 3], True, False)


class Room:
    """Counts how often it was told that there is room again."""

    def __init__(self) -> None:
        self.told = 0

    def __call__(self) -> None:
        self.told += 1


async def take(waiting: Waiting, bundle: Bundle) -> list[bool]:
    """Take all of it; was it too much, at each of its batches?"""
    return [waiting.full async for _ in waiting.each(bundle)]


def test_records_are_counted_off_as_they_are_taken() -> None:
    waiting = Waiting(room := Room())
    bundle = Bundle(batch("p", number, 0, RECORDS_WAITING_MOST // 2) for number in range(3))
    assert not waiting.full
    waiting.add(bundle)
    assert waiting.full
    # 24,000 wait at the first, 16,000 at the second, 8,000 at the third.
    assert asyncio.run(take(waiting, bundle)) == [True, True, False]
    assert (waiting.full, room.told) == (False, 1)


def test_small_bundles_are_bounded_by_their_number() -> None:
    waiting = Waiting(room := Room())
    bundles = [Bundle([batch("p", 0, i)]) for i in range(BUNDLES_WAITING_MOST)]
    for bundle in bundles:
        assert not waiting.full
        waiting.add(bundle)
    assert waiting.full
    asyncio.run(take(waiting, bundles[0]))
    assert (waiting.full, room.told) == (False, 1)


def test_an_emptied_queue_waits_no_longer_and_what_is_just_being_taken_is_not_counted_twice() -> None:
    waiting = Waiting(room := Room())
    held = Bundle([batch("p", 0, 0, RECORDS_WAITING_MOST)])
    waiting.add(held)
    waiting.forget()
    assert (waiting.full, room.told) == (False, 1)
    asyncio.run(take(waiting, held))
    waiting.add(Bundle([batch("p", 0, 0, RECORDS_WAITING_MOST - 1)]))
    assert not waiting.full


def test_between_many_records_the_event_loop_has_its_turn() -> None:
    async def story() -> list[int]:
        turns: list[int] = []
        waiting = Waiting(Room())
        taken = 0

        async def others() -> None:
            while True:
                turns.append(taken)
                await asyncio.sleep(0)

        other = asyncio.ensure_future(others())
        async for _ in waiting.each(Bundle(batch("p", number, 0, 600) for number in range(4))):
            taken += 600
        other.cancel()
        return turns

    assert asyncio.run(story()) == [1200, 2400]
