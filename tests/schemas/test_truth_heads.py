"""What the memo of truths may learn: found by `make fuzz`."""

from __future__ import annotations

import struct

from driftloop.schemas.batches.columns import read_truths
from driftloop.schemas.codec import encode
from driftloop.schemas.events import GroundTruth

from .test_columns import T0, fresh, same_truths


def test_a_null_in_two_bytes_does_not_teach_the_reader_a_head_that_is_none() -> None:
    """80 00 is a null to Avro; the same with a value behind it (80 02: branch 128) is nothing at all."""
    plain = encode(GroundTruth(T0, "loans", True))
    values: list[bytes | None] = [plain[:-1] + b"\x80\x00", plain[:-1] + b"\x80\x02" + struct.pack("<d", 2.5)]
    layouts = fresh()
    assert read_truths(values[:1], layouts).columns[0].code.tolist() == [1]
    assert [r.reason for r in read_truths(values[1:], layouts).rejected] == ["wrong-type"]
    same_truths([*values, plain])
