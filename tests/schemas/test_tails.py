"""What is remembered of the variable parts of records is bounded, in number and in bytes, and loses nothing."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from driftloop.schemas.batches.columns import read_predictions, read_truths
from driftloop.schemas.codec import encode
from driftloop.schemas.events import GroundTruth

from .test_columns import T0, fresh, prediction, seen


def test_the_memo_of_tails_is_bounded_and_old_batches_keep_their_table(monkeypatch: pytest.MonkeyPatch) -> None:
    most, batch = 1_000, 120
    monkeypatch.setattr("driftloop.schemas.batches.tails.TAILS_KEPT_MOST", most)
    layouts = fresh()
    first = read_predictions([prediction(grade="g0")], layouts).columns[0]
    for start in range(1, 3 * most, batch):
        read_predictions([prediction(grade=f"g{i}") for i in range(start, start + batch)], layouts)
        assert len(layouts.tails("loans")) <= most + batch
    last = read_predictions([prediction(grade="g0")], layouts).columns[0]
    assert seen(first) == seen(last)
    assert first.tails is not last.tails


def test_the_memos_of_all_models_together_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record a category of its own, of some length: no table is long, and still they add up."""
    monkeypatch.setattr("driftloop.schemas.batches.layouts.KEPT_BYTES_MOST", 1_000_000)
    layouts, kept = fresh(), []
    calm = read_predictions([prediction(grade="calm")], layouts).columns[0]
    texts = [[f"{i:500}" for i in range(start, start + 250)] for start in range(0, 4_000, 250)]
    # Made before: who writes records remembers tails too.
    batches = [
        ([prediction(grade=t) for t in some], [encode(GroundTruth(T0, "loans", t)) for t in some]) for some in texts
    ]
    tracemalloc.start()
    for predictions, truths in batches:
        read_predictions(predictions, layouts)
        read_truths(truths, layouts)
        gc.collect()  # other tests of this process may have told it to collect seldom
        kept.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert len(layouts.tails("loans")) < 4_000 / 4, "long before there are too many of them"
    assert max(kept) < 1_000_000 + 2 * 250 * 2_000, "the bound, and a batch of each"
    assert max(kept) > 500_000, "what is known is kept"
    assert seen(calm) == seen(read_predictions([prediction(grade="calm")], layouts).columns[0])
