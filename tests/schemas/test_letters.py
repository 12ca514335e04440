"""A dead letter read back, and how far a record in it can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from driftloop.schemas.batches.dissect import dissect, field_of_reason
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.codec import encode
from driftloop.schemas.deadletter import KEPT_BYTES, Header, dead_letter
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import GroundTruth
from driftloop.schemas.letters import REPLAYED_FROM, REPLAYS, Letter, is_marker, marker, read_letter, replay_headers
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from hypothesis import given
from hypothesis import strategies as st

TRACE: tuple[Header, ...] = (("traceparent", b"00-1"), ("nothing", None))
LOANS = MonitorSpecification(
    "loans",
    "binary",
    ("no", "yes"),
    (*[Feature(f"x{i}", f"f_x{i}", "numeric") for i in range(30)], Feature("grade", "f_grade", "categorical")),
    3600.0,
)
RECORD = encode_prediction(layout(LOANS), 1.4e9, 0.25, {"x0": 1.5, "grade": "a"}, "v1")
FRAMING = Layouts({"loans": LOANS}).framing


def written(headers: tuple[Header, ...] = TRACE, value: bytes | None = b"noise", key: bytes | None = b"id") -> Letter:
    made = dead_letter(
        "d.predictions.v1", 3, 41, key, value, headers, 1_500, "truncated", "short\n  hint: é", "observer"
    )
    return read_letter(made[2])


def test_what_was_written_is_read_back() -> None:
    letter = written()
    assert letter[:8] == ("d.predictions.v1", 3, 41, "observer", "truncated", "short\n  hint: é", 1_500, 0)
    assert letter.headers == TRACE
    assert letter.complete


def test_a_replayed_record_says_so_and_how_often_when_it_comes_back_dead() -> None:
    headers = TRACE
    for times in (1, 2, 3):
        letter = written(headers)
        headers = tuple(replay_headers(letter, f"d.dead-letter.v1:2:{times}"))
        assert headers == (
            *TRACE,
            (REPLAYED_FROM, f"d.dead-letter.v1:2:{times}".encode()),
            (REPLAYS, str(times).encode()),
        )
        assert written(headers).replays == times
        assert written(headers).headers == TRACE


@pytest.mark.parametrize("junk", [b"", b"-1", b"many", None, b"9" * 5_000, "²".encode()])
def test_what_an_app_writes_into_our_headers_is_no_count(junk: bytes | None) -> None:
    assert written(((REPLAYS, junk),)).replays == 0


def test_no_record_can_claim_a_place_of_its_own_or_hide_as_a_note() -> None:
    claimed = (("__connect.errors.topic", b"elsewhere"), ("driftloop.reason", b"mine"), ("driftloop.replayed", b"1"))
    letter = written(claimed)
    assert (letter.topic, letter.reason, letter.headers) == ("d.predictions.v1", "truncated", claimed)
    made = dead_letter("t", 0, 0, None, None, (("driftloop.replayed", b"1"),), 0, "r", "m", "s")
    assert not is_marker(made[2])
    assert is_marker(marker([1])[1])
    pretended = written((("driftloop.value.sha256", b"0" * 64), ("driftloop.headers.dropped", b"x")))
    assert pretended.complete


def test_what_was_cut_is_known_by_its_hash() -> None:
    letter = written(value=bytes(2_000_000), key=bytes(2 * KEPT_BYTES))
    assert (letter.value_size, len(letter.value_sha256), len(letter.key_sha256)) == (2_000_000, 64, 64)
    assert not letter.complete
    assert not written((*TRACE, ("large", bytes(300_000)))).complete


@given(st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=8)), max_size=8))
def test_any_headers_survive_and_foreign_ones_are_refused(headers: list[Header]) -> None:
    own = tuple(h for h in headers if h[0] not in (REPLAYED_FROM, REPLAYS))
    assert written(own).headers == own
    with pytest.raises(BadRecord, match="not a dead letter's"):
        read_letter(headers)


def test_a_record_is_read_up_to_where_it_goes_wrong() -> None:
    whole = dissect(RECORD, FRAMING)
    assert (whole.wrong, whole.schema) == ("", "driftloop.predictions.loans")
    assert list(whole.fields) == [f["name"] for f in layout(LOANS).schema["fields"]]
    for length in range(10, len(RECORD)):
        part = dissect(RECORD[:length], FRAMING)
        names = list(whole.fields)
        assert list(part.fields) == names[: names.index(part.field)]
        assert part.fields.items() <= whole.fields.items()
        assert part.at <= length
        assert "not all of a" in part.wrong
    fixed = 10 + 8 * 20
    assert (dissect(RECORD[:fixed], FRAMING).field, dissect(RECORD[:fixed], FRAMING).at) == ("f_x18", fixed)
    behind = dissect(RECORD + b"123", FRAMING)
    assert (behind.wrong, behind.at, behind.fields) == ("3 bytes behind its end", len(RECORD), whole.fields)


def test_what_nobody_knows_is_said_in_words() -> None:
    for value in (None, b"", b"\x07", RECORD[:5], b"\xc3\x01" + bytes(20)):
        assert dissect(value, FRAMING).wrong
        assert not dissect(value, FRAMING).fields
    truth = encode(GroundTruth(1.4e9, "loans", "yes"))
    assert dissect(truth).fields["label"] == "yes"
    assert dissect(truth[:-2]).field == "label"


def test_every_reason_that_is_about_a_field_names_one_of_the_record() -> None:
    source = (Path(__file__).parents[2] / "schemas/batches/columns.py").read_text()
    assert "``event-time-in-the-future``" in source
    for reason in ("event-time-before-2000", "event-time-in-the-future", "event-time-not-a-number"):
        assert field_of_reason(reason) == "event_time"
    assert field_of_reason("score-not-a-probability") == "score"
    assert field_of_reason("truncated") == ""
