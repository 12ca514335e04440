"""The state header: what fits is taken, what does not is refused with the way out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driftloop.schemas.errors import ConfigError
from driftloop.streams.transport.state.bring_up import checked
from driftloop.streams.transport.state.header import SourceLost, StateHeader, check_header, decode_header
from driftloop.streams.transport.state.state_log import Marks

OURS = StateHeader("p-observer", 1, 4, {"a": 41, "b": -1}, {"a": "id-a", "b": "id-b"})


def test_it_comes_back_as_it_was_written() -> None:
    assert decode_header(OURS.encode(), "s[0]") == OURS


def test_our_own_state_fits() -> None:
    check_header(OURS, replace(OURS, sources={"a": -1, "b": -1}), "s[0]")


def test_a_state_without_topic_ids_fits() -> None:
    check_header(replace(OURS, topic_ids={}), OURS, "s[0]")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"application": "q-observer"}, "application 'q-observer'"),
        ({"layout": 2}, "layout 2"),
        ({"partitions": 8}, "partitions 8"),
        ({"sources": {"a": 0, "c": 0}}, "computed from"),
        ({"topic_ids": {"a": "id-new", "b": "id-b"}}, "topic a was deleted and created anew"),
    ],
)
def test_a_foreign_state_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        check_header(replace(OURS, **change), OURS, "s[0]")
    assert "s[0]" in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"version": 99}', b"\xff"])
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        decode_header(data, "s[0]")


def test_the_position_is_behind_what_was_absorbed() -> None:
    assert checked("a", 0, 41, Marks(0, 42)) == 41
    assert checked("a", 0, -1, Marks(0, 0)) == -1


def test_expired_records_are_passed_over() -> None:
    assert checked("a", 0, 41, Marks(100, 200)) == 99
    assert checked("a", 0, -1, Marks(100, 200)) == 99


def test_a_truncated_source_is_refused() -> None:
    with pytest.raises(SourceLost, match=r"a\[0\].*absorbed offset 41.*ends at 41"):
        checked("a", 0, 41, Marks(0, 41))
