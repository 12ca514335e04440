"""The bytes of a pane written by hand are those that fastavro writes."""

from __future__ import annotations

import numpy as np
import pytest
from driftloop.schemas.codec import encode, header_bytes, schema_of
from driftloop.schemas.events import Bins, Pane
from driftloop.schemas.pane_bytes import LONGS_KEPT, LONGS_LISTED, long_of, longs
from driftloop.schemas.wire import write_body
from hypothesis import given
from hypothesis import strategies as st

from .examples import any_event, example


def by_fastavro(pane: Pane) -> bytes:
    record = {name: getattr(pane, name) for name in Pane.__slots__}
    record["histograms"] = [{"name": h.name, "bins": h.bins, "counts": h.counts} for h in pane.histograms]
    return header_bytes(Pane) + write_body(schema_of(Pane), record)


@given(any_event(Pane))
def test_any_pane(pane: Pane) -> None:
    assert encode(pane) == by_fastavro(pane)


@given(st.integers(-(2**63), 2**63 - 1), st.lists(st.integers(0, 2**63 - 1), min_size=1))
def test_any_number(bucket: int, counts: list[int]) -> None:
    histogram = Bins("score", tuple(range(len(counts))), tuple(counts))
    pane = example(Pane)
    for _ in range(2):  # the second time some are known
        told = Pane("m", "v", "r", "s", 0.0, 1.0, 0, "k", bucket, 0.0, 0, -1, -1, -1, -1, {}, {}, (histogram,))
        assert encode(told) == by_fastavro(told)
    assert encode(pane) == by_fastavro(pane)


@pytest.mark.parametrize("most", [0, LONGS_LISTED - 1, LONGS_LISTED, 2**31 - 1])
def test_many_numbers_at_once_are_each_by_itself(most: int) -> None:
    assert longs(np.array([], np.int32)) == []
    assert longs(np.array([most, 0, 1, most], np.int32)) == [long_of(number) for number in (most, 0, 1, most)]


@pytest.mark.parametrize("number", [LONGS_KEPT.start - 1, LONGS_KEPT.stop - 1, LONGS_KEPT.stop, 2**63 - 1, -(2**63)])
def test_numbers_at_the_edges(number: int) -> None:
    pane = Pane("m", "v", "r", "s", 0.0, 1.0, number, "k", number, 0.0, number, -1, number, -1, -1, {"n": number})
    assert encode(pane) == by_fastavro(pane)


def test_a_number_that_no_long_holds_is_an_error() -> None:
    with pytest.raises(OverflowError):
        encode(Pane("m", "v", "r", "s", 0.0, 1.0, 2**63, "k", 0, 0.0, 0, -1, -1, -1, -1))
