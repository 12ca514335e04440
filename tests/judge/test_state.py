"""The state log: what is written, what is refused, and what is sent on as a dead letter."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driftloop.schemas.codec import encode
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import Bins, TimeMarker
from driftloop.streams.judge.fold import make_fold
from driftloop.streams.judge.state import Store, counted_key, pane_key

from .scenes import DAY, REFERENCE_ROWS, SPEC, START, Judge, Shelf, baselines_of, make_rows, panes_of, streams_of


def after(days: int, until: float) -> Judge:
    judge = Judge()
    judge.run(*streams_of(panes_of(make_rows(1, days, per_day=40)), 3, START + until * DAY))
    return judge


def test_the_state_of_what_is_over_is_deleted() -> None:
    judge = after(4, 30)
    kinds = [key.split(b'"')[1].decode() for key in judge.state]
    assert kinds.count("window") == 3, "the empty ones that could still be corrected"
    rest = sorted(kind for kind in kinds if kind != "window")
    assert rest == ["features", "frontier", "loss", "model", "past", "quality", "sight", "sight", "sight"]


def test_the_state_is_bounded_by_the_horizon_not_by_the_age() -> None:
    assert len(after(30, 30).state) <= len(after(12, 12).state) + 2


def test_a_store_from_which_nobody_goes_on_notes_nothing() -> None:
    store = Store()
    store.put(("model", "loans"), b"seen")
    store.forget()
    store.put(("model", "loans"), b"seen again")
    store.drop(("pane", "loans"))
    assert store.take() == {}


def test_a_pane_counts_under_the_key_that_its_waiting_says() -> None:
    (pane, *_) = panes_of(make_rows(1, 1))
    for one in (pane, replace(pane, segment="region=north")):
        assert counted_key(pane_key("pending", one)) == pane_key("pane", one)


def test_no_key_begins_as_the_transports_own() -> None:
    assert not any(key.startswith(b"header") for key in after(3, 3).state)


@pytest.mark.parametrize("name", [b"clock", b'["seat", 1]', b"[]", b"\xff\xfe", b"3"])
def test_a_state_that_no_judge_has_written_is_refused(name: bytes) -> None:
    judge = Judge()
    with pytest.raises(ConfigError, match="no judge has written"):
        make_fold(0, {name: b"{}"}, judge.context)


def test_a_state_whose_specification_is_gone_is_refused() -> None:
    state = after(3, 3).state
    shelf = Shelf(baselines_of(REFERENCE_ROWS), replace(SPEC, window_seconds=2 * DAY))
    with pytest.raises(ConfigError, match=f"no monitor specification {SPEC.spec}"):
        Judge(shelf, state)


def test_what_cannot_be_used_is_a_dead_letter_with_its_reason_and_stops_nothing() -> None:
    panes = panes_of(make_rows(1, 1, per_day=30))
    features = next(p for p in panes if p.kind == "features")
    labels = next(p for p in panes if p.kind == "labels")
    bad = {
        "empty": b"",
        "unknown-framing": b"hello",
        "truncated": encode(features)[:-3],
        "unknown-schema": encode(TimeMarker(START, "app")),
        "unknown-specification": encode(replace(features, spec="f" * 16)),
        "wrong-kind": encode(replace(features, kind="moods")),
        "wrong-bins": encode(replace(features, histograms=(Bins("feature:income", (99,), (1,)),))),
        "wrong-sums": encode(replace(labels, sums={"log_loss": float("nan")})),
    }
    judge = Judge()
    judge.run(list(bad.values()), *streams_of(panes, 3, START + 4 * DAY))
    dead = [o for o in judge.outputs if o.topic == "t.dead-letter.v1"]
    reasons = [dict(o.headers)["driftloop.reason"].decode() for o in dead]
    assert reasons == list(bad)
    assert [o.value for o in dead] == list(bad.values())
    clean = Judge()
    clean.run(*streams_of(panes, 3, START + 4 * DAY))
    assert judge.events == clean.events


def test_a_record_without_value_is_a_dead_letter_too() -> None:
    judge = Judge()
    judge.run([None])
    assert dict(judge.outputs[0].headers)["driftloop.reason"] == b"empty"


def test_a_missing_specification_is_looked_for_once_a_batch() -> None:
    judge = Judge()
    pane = replace(panes_of(make_rows(1, 1))[0], spec="f" * 16)
    judge.run([encode(pane)] * 50)
    assert judge.shelf.refreshes == 1
    judge.run([encode(pane)] * 50)
    assert judge.shelf.refreshes == 2


def test_a_reference_that_is_built_later_is_picked_up_and_a_new_one_starts_the_tests_anew() -> None:
    shelf = Shelf(None)
    judge = Judge(shelf)
    panes = panes_of(make_rows(1, 12, per_day=60, partitions=1))
    stream = streams_of(panes, 1, START + 14 * DAY)[0]
    third = len(stream) // 3
    judge.run(stream[:third])
    assert {e.reference for e in judge.events} == {""}
    shelf.known = baselines_of(REFERENCE_ROWS)
    judge.run(stream[third : 2 * third])
    assert judge.events[-1].reference == shelf.known.reference
    assert judge.events[-1].tests[0].steps > 5
    shelf.known = replace(shelf.known, rows=1)
    judge.run(stream[2 * third :])
    named = [e for e in judge.events if e.reference == shelf.known.reference]
    assert named[0].tests[0].steps <= 4
