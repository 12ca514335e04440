"""Failures are counted one by one and told in summaries."""

from __future__ import annotations

from driftloop.client.failures import Failure, Tally
from hypothesis import given
from hypothesis import strategies as st


def test_the_first_failure_is_told_at_once_and_the_rest_of_the_burst_in_one_summary() -> None:
    tally = Tally(report_seconds=10)
    assert tally.due(0.0) == []
    tally.add("dropped", "full")
    assert tally.due(0.0) == [Failure("dropped", 1, 1, "full")]
    for _ in range(500):
        tally.add("dropped", "still full")
    assert tally.due(9.9) == []
    assert tally.due(10.0) == [Failure("dropped", 500, 501, "still full")]
    assert tally.due(100.0) == [], "nothing new, nothing told"


def test_what_was_not_told_yet_is_told_at_the_end() -> None:
    tally = Tally()
    tally.add("not-delivered", "timed out")
    tally.due(0.0)
    tally.add("not-delivered", "timed out")
    tally.add("dropped", "full")
    assert {f.kind: (f.records, f.total) for f in tally.due(0.1, final=True)} == {
        "dropped": (1, 1),
        "not-delivered": (1, 2),
    }


@given(
    st.lists(
        st.tuples(st.sampled_from(["dropped", "not-delivered"]), st.floats(0, 5), st.booleans()),
        max_size=60,
    )
)
def test_however_they_come_every_failure_is_told_once(steps: list[tuple[str, float, bool]]) -> None:
    tally, now, told = Tally(report_seconds=3.0), 0.0, []
    for kind, wait, look in steps:
        tally.add(kind, "")  # type: ignore[arg-type]
        now += wait
        told += tally.due(now) if look else []
    told += tally.due(now, final=True)
    for kind in ("dropped", "not-delivered"):
        expected = sum(step[0] == kind for step in steps)
        assert sum(f.records for f in told if f.kind == kind) == expected == tally.total(kind)  # type: ignore[arg-type]
