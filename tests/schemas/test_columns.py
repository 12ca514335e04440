"""The fast reader and the slow one see the same: in good batches, mixed ones, and damaged ones."""

from __future__ import annotations

import math
import struct
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftloop.schemas.batches.columns import PredictionColumns, Predictions, Truths, read_predictions, read_truths
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.batches.tails import Tail
from driftloop.schemas.codec import encode, schema_of
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.events import GroundTruth, Progress, TimeMarker
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.wire import CONFLUENT, SINGLE_OBJECT, Schema, parse, write_body
from hypothesis import given
from hypothesis import strategies as st

from .vector_examples import a_vector

T0 = 1_357_034_400.0
NOW_MS = 1_800_000_000_000


def monitor(model: str, numeric: str, categorical: str = "") -> MonitorSpecification:
    features = [Feature(n, f"f_{n}", "numeric") for n in numeric.split()]
    features += [Feature(n, f"f_{n}", "categorical", categories=("a", "b")) for n in categorical.split()]
    return MonitorSpecification(model, "binary", ("no", "yes"), tuple(features), 86_400.0)


LOANS = monitor("loans", "amount income age", "grade region")
TEXT, PICTURE = (Feature(name, f"f_{name}_{n}", "embedding", width=n) for name, n in (("text", 3), ("picture", 2)))
LOANS = replace(LOANS, features=(TEXT, *LOANS.features, PICTURE))
CLICKS = monitor("clicks", "", "page")
MODELS = {"loans": LOANS, "clicks": CLICKS}
CURRENT, CLICKS_LAYOUT = layout(LOANS), layout(CLICKS)
OLDER = layout(monitor("loans", "amount age", "grade"))
"""What apps wrote before the monitor of loans got income and region."""
OTHER_TEXT = replace(LOANS, features=(replace(TEXT, width=2, field="f_text_2"), PICTURE, *LOANS.features[1:-1]))
OTHER_WIDTH = layout(OTHER_TEXT)
"""What apps write once another encoder makes the texts' embeddings."""


def nullable(schema: Mapping[str, Any]) -> Schema:
    """As a foreign client may have it: other order, nullable numbers, a float: nothing that one frombuffer reads."""
    fields = [
        f | ({"type": ["null", "double"], "default": None} if f["name"] == "f_age" else {}) for f in schema["fields"]
    ]
    return parse(dict(schema) | {"fields": [*reversed(fields), {"name": "host", "type": "string", "default": ""}]})


FOREIGN = nullable(CURRENT.schema)
IDS = {1: schema_of(GroundTruth).definition}
"""What the registry knows, unless a test says otherwise."""


def fresh(**more: Any) -> Layouts:
    schemas = {s.fingerprint: s.definition for s in (OLDER.record, OTHER_WIDTH.record, FOREIGN)}
    return Layouts(MODELS, schemas, **({"schema_of_id": IDS.get} | more))


def seen(columns: PredictionColumns) -> dict[str, Any]:
    """Columns with the table of tails written out, NaN comparable."""
    return {
        "rows": columns.rows.tolist(),
        "event_time": columns.event_time.tolist(),
        "score": columns.score.tolist(),
        "numeric": [[None if math.isnan(x) else x for x in row] for row in columns.numeric.tolist()],
        "tails": [columns.tails[t] for t in columns.tail],
        "codes": columns.category_codes().tolist(),
        "vectors": columns.vectors.astype("<f4").tobytes(),
    }


def same_predictions(values: list[bytes | None], **more: Any) -> Predictions:
    """Read both ways; equal in everything, messages aside."""
    fast, slow = (read_predictions(values, fresh(), fast=fast, **more) for fast in (True, False))
    assert [(c.model, seen(c)) for c in fast.columns] == [(c.model, seen(c)) for c in slow.columns]
    assert fast.markers == slow.markers
    assert [r[:2] for r in fast.rejected] == [r[:2] for r in slow.rejected]
    every = [
        *[r.row for r in fast.rejected],
        *[m.row for m in fast.markers],
        *[r for c in fast.columns for r in c.rows],
    ]
    assert sorted(every) == list(range(len(values))), "every row is in exactly one place"
    return fast


def same_truths(values: list[bytes | None], **more: Any) -> Truths:
    fast, slow = (read_truths(values, fresh(), fast=fast, **more) for fast in (True, False))

    def shown(truths: Truths) -> Any:
        return [
            (c.model, c.rows.tolist(), c.event_time.tolist(), c.code.tolist(), repr(c.value.tolist()),
             [(repr(c.tails[t].label), c.tails[t].model) for t in c.tail])
            for c in truths.columns
        ]  # fmt: skip

    assert shown(fast) == shown(slow)
    assert fast.markers == slow.markers
    assert [r[:2] for r in fast.rejected] == [r[:2] for r in slow.rejected]
    return fast


numbers = st.none() | st.floats(allow_nan=True)
texts = st.none() | st.sampled_from(["a", "b", "z", "", "é" * 700])
times = st.floats(T0, T0 + 1e6)
scores = st.floats(0.0, 1.0)
versions = st.sampled_from(["v1", "v2"])
roles = st.sampled_from(["champion", "challenger", "history"])
decisions = st.sampled_from([None, "no", "yes"])


@st.composite
def loans(draw: st.DrawFn, of: Any = None) -> bytes:
    written = of or draw(st.sampled_from([CURRENT, OLDER, OTHER_WIDTH]))
    kinds = {"numeric": numbers, "categorical": texts}
    features = {f.name: draw(a_vector(f.width) if f.width else kinds[f.kind]) for f in written.spec.features}
    return encode_prediction(
        written, draw(times), draw(scores), features, draw(versions), draw(roles), draw(decisions)
    )


@st.composite
def foreign(draw: st.DrawFn) -> bytes:
    record = {"event_time": draw(times), "score": draw(scores), "model": "loans", "model_version": draw(versions)}
    record |= {"role": draw(roles), "predicted": draw(decisions), "f_grade": draw(texts), "f_region": draw(texts)}
    record |= {"f_amount": draw(st.floats()), "f_income": draw(st.floats()), "f_age": draw(numbers), "host": "h"}
    record |= {"f_text_3": draw(st.binary(min_size=12, max_size=12)), "f_picture_2": bytes(8)}
    return SINGLE_OBJECT + FOREIGN.fingerprint + write_body(FOREIGN, record)


@st.composite
def clicks(draw: st.DrawFn) -> bytes:
    return encode_prediction(CLICKS_LAYOUT, draw(times), draw(scores), {"page": draw(texts)}, "v1")


markers = st.builds(lambda t: encode(TimeMarker(t, "app")), st.floats(allow_nan=True))
truths = st.builds(
    lambda t, m, label, value: encode(GroundTruth(t, m, label, value)),
    times,
    st.sampled_from(["loans", "clicks", "nobody's", "é" * 600]),
    st.none() | st.sampled_from(["no", "yes", "\x02perhaps"]) | st.integers(-2, 2) | st.booleans() | st.floats(0, 2),
    st.none() | st.floats(),
)


@st.composite
def damaged(draw: st.DrawFn, records: st.SearchStrategy[bytes]) -> bytes:
    data = bytearray(draw(records))
    how = draw(st.sampled_from(["truncate", "flip", "length", "utf8", "append"]))
    at = draw(st.integers(0, len(data) - 1))
    if how == "truncate":
        del data[at:]
    elif how == "flip":
        data[at] ^= 1 << draw(st.integers(0, 7))
    elif how == "length":  # a length of 2**62 where something else was
        data[at:at] = b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"
    elif how == "utf8":
        data[at] = 0xFF
    else:
        data += draw(st.binary(min_size=1, max_size=9))
    return bytes(data)


registered = truths.map(lambda data: CONFLUENT + bytes([0, 0, 0, 1]) + data[10:])
good = st.one_of(loans(), foreign(), clicks(), markers, truths, registered)
anything = st.one_of(good, damaged(good), st.none(), st.binary(max_size=30))


@given(st.lists(loans(CURRENT), min_size=1, max_size=30))
def test_a_batch_of_one_schema_is_read_the_same_both_ways(values: list[bytes | None]) -> None:
    found = same_predictions(values)
    assert found.columns[0].rows.tolist() == list(range(len(values)))


@given(st.lists(registered, min_size=1, max_size=30))
def test_truths_with_a_registrys_id_are_read_the_same_both_ways(values: list[bytes | None]) -> None:
    same_truths(values)


@given(st.lists(anything, max_size=30))
def test_any_batch_of_predictions_is_read_the_same_both_ways(values: list[bytes | None]) -> None:
    same_predictions(values)


@given(st.lists(st.one_of(truths, registered, anything, damaged(truths), damaged(registered)), max_size=30))
def test_any_batch_of_truths_is_read_the_same_both_ways(values: list[bytes | None]) -> None:
    same_truths(values)


@given(st.lists(good, max_size=20), st.data())
def test_keys_and_kafka_timestamps_are_checked_the_same_both_ways(values: list[bytes | None], data: Any) -> None:
    n = len(values)
    keys = data.draw(st.lists(st.sampled_from([None, b"", b"id"]), min_size=n, max_size=n))
    stamps = data.draw(st.lists(st.sampled_from([-1, int(T0 * 1000), NOW_MS]), min_size=n, max_size=n))
    same_predictions(values, keys=keys, timestamps_ms=stamps)
    same_truths(values, keys=keys, timestamps_ms=stamps)


def tails_by_row(found: Predictions) -> list[tuple[int, Tail]]:
    return [(row, c.tails[t]) for c in found.columns for row, t in zip(c.rows.tolist(), c.tail, strict=True)]


@given(st.lists(st.lists(anything, max_size=8), max_size=6))
def test_how_the_log_is_cut_into_batches_does_not_matter(batches: list[list[bytes | None]]) -> None:
    layouts, whole = fresh(), [value for batch in batches for value in batch]
    at_once = read_predictions(whole, fresh())
    rejected, rows, start = [], [], 0
    for batch in batches:
        found = read_predictions(batch, layouts)
        rejected += [(start + r.row, r.reason) for r in found.rejected]
        rows += [
            (start + r, tail)
            for c in found.columns
            for r, tail in zip(seen(c)["rows"], seen(c)["tails"], strict=True)
        ]
        start += len(batch)
    assert rejected == [r[:2] for r in at_once.rejected]
    assert sorted(rows) == sorted(
        (r, t) for c in at_once.columns for r, t in zip(seen(c)["rows"], seen(c)["tails"], strict=True)
    )


def prediction(event_time: float = T0, score: float = 0.25, grade: str | None = "a") -> bytes:
    features = {"amount": 1.0, "income": 2.0, "age": None, "grade": grade, "region": None}
    features |= {"text": [1.0, 2.0, 3.0], "picture": None}
    return encode_prediction(CURRENT, event_time, score, features, "v1", predicted="no")


def test_columns_are_what_was_written() -> None:
    found = read_predictions([prediction(), prediction(T0 + 1, 0.5, "unheard of")], fresh())
    (columns,) = found.columns
    assert columns.model == "loans"
    assert columns.event_time.tolist() == [T0, T0 + 1]
    assert columns.score.tolist() == [0.25, 0.5]
    assert columns.numeric[:, :2].tolist() == [[1.0, 2.0]] * 2
    assert np.isnan(columns.numeric[:, 2]).all()
    assert columns.tails[columns.tail[0]] == Tail("v1", "champion", "no", ("a", None))
    assert columns.category_codes().tolist() == [[0, 3], [2, 3]]


def test_a_feature_that_an_older_writer_does_not_know_is_missing() -> None:
    features = {"amount": 1.0, "age": 30.0, "grade": "b"}
    old = encode_prediction(OLDER, T0, 0.5, features, "v1")
    (columns,) = read_predictions([prediction(), old], fresh()).columns
    assert columns.numeric[1, [0, 2]].tolist() == [1.0, 30.0]
    assert math.isnan(columns.numeric[1, 1])
    assert columns.tails[columns.tail[1]].categories == ("b", None)


def raw(event_time: float, score: float = 0.5) -> bytes:
    """A prediction that our own encoder refuses to write."""
    data = prediction()
    return data[:10] + struct.pack("<dd", event_time, score) + data[26:]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b'{"score": 1}', "unknown-framing"),
        (SINGLE_OBJECT + bytes(60), "unknown-schema"),
        (b"\x00" + bytes(60), "unknown-schema"),
        (encode(Progress(0, 1, 0.0, 0.0, 0, 0, True)), "unknown-schema"),
        (encode(GroundTruth(T0, "loans", 1)), "unknown-schema"),
        (prediction()[:9], "truncated"),
        (prediction()[:40], "truncated"),
        (prediction()[:-1], "truncated"),
        (prediction() + b"\x00", "trailing-bytes"),
        (prediction()[:-1] + b"\x08", "wrong-type"),
        (prediction(grade="ab").replace(b"ab", b"\xff\xfe"), "not-utf8"),
        (prediction().replace(b"loans", b"loanz"), "unknown-model"),
        (prediction().replace(b"champion", b"champiom"), "unknown-role"),
        (prediction() + bytes(10_000_000), "too-large"),
        (raw(math.nan), "event-time-not-a-number"),
        (raw(math.inf), "event-time-not-a-number"),
        (raw(-1.0), "event-time-before-2000"),
        (raw(253_402_300_799.0), "event-time-in-the-future"),
        (raw(NOW_MS / 1000 + 601), "event-time-in-the-future"),
        (raw(T0, math.nan), "score-not-a-probability"),
        (raw(T0, 1.1), "score-not-a-probability"),
        (encode(TimeMarker(math.nan, "app")), "event-time-not-a-number"),
        (encode(TimeMarker(253_402_300_799.0, "app")), "event-time-in-the-future"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_a_bad_record_among_good_ones_has_its_reason_and_hurts_nobody(value: bytes | None, reason: str) -> None:
    values = [prediction(), value, prediction()]
    found = same_predictions(values, keys=[b"1", b"2", b"3"], timestamps_ms=[NOW_MS] * 3)
    assert [(r.row, r.reason) for r in found.rejected] == [(1, reason)]
    assert found.columns[0].rows.tolist() == [0, 2]
    alone = same_predictions([value], keys=[b"2"], timestamps_ms=[NOW_MS])
    assert [r.reason for r in alone.rejected] == [reason]


def test_ten_minutes_ahead_of_kafkas_timestamp_is_still_allowed() -> None:
    found = same_predictions([raw(NOW_MS / 1000 + 600)], timestamps_ms=[NOW_MS])
    assert not found.rejected


def test_a_record_without_a_key_cannot_be_joined_but_a_marker_needs_none() -> None:
    values = [prediction(), prediction(), encode(TimeMarker(T0, "app"))]
    found = same_predictions(values, keys=[b"id", None, None])
    assert [(r.row, r.reason) for r in found.rejected] == [(1, "key-missing")]
    assert found.markers == [(2, T0)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (encode(GroundTruth(T0, "nobody's", 1)), "unknown-model"),
        (prediction(), "unknown-schema"),
        (encode(GroundTruth(T0, "loans", 1)) + bytes(10_000_000), "too-large"),
        (encode(GroundTruth(math.nan, "loans", 1)), "event-time-not-a-number"),
        (encode(GroundTruth(T0, "loans", 1))[:-1], "truncated"),
        (encode(GroundTruth(T0, "loans", 1))[:15], "truncated"),
        (encode(GroundTruth(T0, "loans", None, 1.0)) + b"\x00", "trailing-bytes"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_a_bad_truth_has_its_reason(value: bytes, reason: str) -> None:
    values = [encode(GroundTruth(T0, "loans", 1)), value]
    found = same_truths(values, keys=[b"1", b"2"], timestamps_ms=[NOW_MS] * 2)
    assert [(r.row, r.reason) for r in found.rejected] == [(1, reason)]


def test_truths_of_two_models_come_apart_with_codes_and_values() -> None:
    values: list[bytes | None] = [
        encode(GroundTruth(T0 + i, model, label, value))
        for i, (model, label, value) in enumerate(
            [
                ("loans", "yes", 2.5),
                ("clicks", 0, None),
                ("loans", True, None),
                ("loans", "yes", -2.5),
                ("loans", "?", None),
            ]
        )
    ]
    clicked, lent = same_truths(values).columns
    assert (clicked.model, clicked.rows.tolist(), clicked.code.tolist()) == ("clicks", [1], [0])
    assert (lent.rows.tolist(), lent.code.tolist()) == ([0, 2, 3, 4], [1, 1, 1, -1])
    assert lent.value[[0, 2]].tolist() == [2.5, -2.5]
    assert np.isnan(lent.value[[1, 3]]).all()


def test_confluent_framing_is_read_like_the_other() -> None:
    ids = {7: CURRENT.schema, 8: FOREIGN.definition}
    values: list[bytes | None] = [b"\x00\x00\x00\x00\x07" + prediction()[10:] for _ in range(3)]
    layouts = fresh(schema_of_id=ids.get)
    (columns,) = read_predictions(values, layouts).columns
    assert seen(columns) == seen(read_predictions([prediction()] * 3, fresh()).columns[0])
    mixed = read_predictions([*values, prediction(), b"\x00\x00\x00\x00\x09" + prediction()[10:]], layouts)
    assert mixed.columns[0].rows.tolist() == [0, 1, 2, 3]
    assert [(r.row, r.reason) for r in mixed.rejected] == [(4, "unknown-schema")]


def test_a_registry_that_is_down_sends_nothing_to_the_dead_letters() -> None:
    def down(_: int) -> None:
        raise Unavailable("the registry does not answer")

    with pytest.raises(Unavailable):
        read_predictions([b"\x00\x00\x00\x00\x07" + prediction()[10:]], fresh(schema_of_id=down))


def test_a_length_of_exabytes_allocates_nothing() -> None:
    huge = prediction()[:-1] + b"\x02\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"
    values: list[bytes | None] = [huge] * 50
    read_predictions(values, fresh())
    tracemalloc.start()
    assert {r.reason for r in read_predictions(values, fresh()).rejected} == {"truncated"}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
