"""Nothing but bad records, small and large: each is kept once, and the observer's memory stays bounded."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest
from driftloop.console.reading import read_messages
from driftloop.schemas.letters import read_letter
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import FoldContext, SourceRecords
from driftloop.streams.observer.fold import ObserverFold

from ..integration.loop import running
from .models import catalogue
from .mutations import FRAMES, Fuzzed
from .on_broker import observe, prepare, produce, told

OBSERVER_BYTES_MOST = 400 << 20
LARGE, SMALL = 120, 20_000


def bad_records(seed: int) -> list[Fuzzed]:
    """Noise behind a good header: 100 MB in large records that no compression helps with, and many small ones."""
    rng = random.Random(seed)
    large = [rng.randbytes(800_000) for _ in range(20)]
    sizes = [True] * LARGE + [False] * SMALL
    rng.shuffle(sizes)
    found = []
    for number, is_large in enumerate(sizes):
        value = rng.choice(FRAMES) + b"\xff" * 2_000 + (rng.choice(large) if is_large else b"")
        found.append(Fuzzed(rng.choice(("predictions", "ground-truth")), f"k{number}".encode(), value, [], "bad"))
    return found


def test_what_waits_to_be_written_is_known_in_bytes() -> None:
    fold = ObserverFold(0, {}, FoldContext(catalogue(registry=True), lambda: None, 1, lambda short: short))
    for start in range(0, 4_000, 1_000):
        assert fold.pending_bytes == start * (2_000 + 100 + 1)
        offsets = range(start, start + 1_000)
        some = (offsets, [b"k"] * 1_000, [b"?" * 100] * 1_000, [0] * 1_000, [()] * 1_000)
        fold.absorb(SourceRecords("predictions", 0, *some, 0))
    assert len(fold.collect().outputs) > 4_000
    assert fold.pending_bytes == 0


@pytest.mark.kafka
def test_a_flood_of_bad_records_fills_no_memory_and_loses_none(settings: Settings, tmp_path: Path) -> None:
    records = bad_records(seed=5)
    prepare(settings)
    assert produce(settings, records, time.time()) == len(records)
    with running(settings, tmp_path) as loop:
        took = observe(loop)
    places, keys = Counter[tuple[str, int, int]](), set[bytes]()
    for message in read_messages(settings, settings.topic("dead-letter")):
        letter = read_letter(message.headers())
        places[letter.topic, letter.partition, letter.offset] += 1
        keys.add(message.key())
    assert set(places.values()) == {1}
    assert keys == {record.key for record in records}
    assert took.peak_bytes < OBSERVER_BYTES_MOST, told(took, len(records))
