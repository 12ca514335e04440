"""A person silences a model: nobody is called, nothing is lost, and what still stands afterwards is told again."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import CommandGiven, DriftDetected, IncidentChanged, SilenceChanged, WindowMeasured
from driftloop.schemas.headers import rfc3339
from driftloop.schemas.silences import order_of
from driftloop.streams.judge.incidents.silencing import Silencing

from .scenes import (
    DAY,
    MODEL,
    REFERENCE_ROWS,
    SPEC,
    START,
    Judge,
    Shelf,
    baselines_of,
    make_rows,
    panes_of,
    streams_of,
)
from .test_any_interleaving import interleaved, told, with_crashes

ROWS = [*make_rows(1, 7), *make_rows(2, 5, first_day=7, flip=0.5), *make_rows(3, 12, first_day=12)]
"""Good, bad from day 7 to 12, good again: an incident opens on day 9 and is resolved some days after day 14."""
DAYS = 24
STREAMS = streams_of(panes_of(ROWS), 3, START + DAYS * DAY)


def said(day: float, since: float, until: float, **arguments: str) -> CommandGiven:
    times = {"from": rfc3339(START + since * DAY), "until": rfc3339(START + until * DAY)}
    return CommandGiven(MODEL, "silence", "ada", "the bureau is migrated", START + day * DAY, times | arguments)


def ended(day: float, silence: str) -> CommandGiven:
    return CommandGiven(MODEL, "silence", "bob", "done earlier", START + day * DAY, {"end": silence})


def judged(*commands: CommandGiven) -> list:
    return judge_of(*commands).run(*STREAMS)


def judge_of(*commands: CommandGiven) -> Judge:
    shelf = Shelf(baselines_of(REFERENCE_ROWS))
    shelf.said = [order_of(offset, command) for offset, command in enumerate(commands)]
    return Judge(shelf)


def of(kind: type, events: list) -> list:
    return [e for e in events if isinstance(e, kind)]


PLAIN = judged()


def test_under_a_silence_everything_is_found_as_before_and_nobody_is_called() -> None:
    events = judged(said(1, 8, 23))
    silence, over = of(SilenceChanged, events)
    assert (silence.change, silence.author, silence.ends_at) == ("counts", "ada", START + 23 * DAY)
    assert (over.change, over.as_of) == ("ended", START + 23 * DAY)
    loud, quiet = of(IncidentChanged, PLAIN), of(IncidentChanged, events)
    assert [replace(c, silenced=None) for c in quiet] == loud, "the same incidents at the same instants"
    assert len(loud) > 3
    assert {c.silenced.silence for c in quiet} == {silence.silence}
    assert quiet[0].silenced.author == "ada"
    alarms = of(DriftDetected, events)
    assert [replace(a, paging=True) for a in alarms] == [replace(a, paging=True) for a in of(DriftDetected, PLAIN)]
    assert any(a.paging for a in of(DriftDetected, PLAIN))
    assert not any(a.paging for a in alarms)
    for window, plain in zip(of(WindowMeasured, events), of(WindowMeasured, PLAIN), strict=True):
        assert replace(window, silenced_incidents=()) == plain
        assert set(window.silenced_incidents) == set(window.open_incidents + window.quality_incidents)
    assert any(w.silenced_incidents for w in of(WindowMeasured, events)), "which starts no training"


def test_what_stands_when_the_silence_is_over_is_told_again_and_only_that() -> None:
    until = (of(IncidentChanged, PLAIN)[0].as_of - START) / DAY + 0.4
    events = judged(said(1, 8, until))
    told_of = of(IncidentChanged, events)
    before = [c for c in told_of if c.as_of < START + until * DAY]
    after = [c for c in told_of if c.as_of >= START + until * DAY]
    assert all(c.silenced for c in before)
    assert not any(c.silenced for c in after)
    first = after[0]
    assert (first.change, first.as_of) == ("updated", START + (until + 0.1) * DAY), "the first instant behind it"
    assert first.summary == f"{before[-1].summary}; silenced until now"
    assert first.evidence == before[-1].evidence
    assert after[-1].change == "resolved"
    one_more = [c for c in told_of if c is not first]
    assert [replace(c, silenced=None) for c in one_more] == of(IncidentChanged, PLAIN)


def test_an_incident_that_was_told_aloud_is_resolved_aloud_also_in_a_silence() -> None:
    opened = of(IncidentChanged, PLAIN)[0].as_of
    events = of(IncidentChanged, judged(said(1, (opened - START) / DAY + 0.5, 23)))
    assert events[0].silenced is None
    assert any(c.silenced for c in events[1:-1])
    assert (events[-1].change, events[-1].silenced) == ("resolved", None)


def test_a_silence_covers_its_kind_and_its_feature_alone() -> None:
    assert of(IncidentChanged, judged(said(1, 8, 23, kind="data_quality"))) == of(IncidentChanged, PLAIN)
    assert of(IncidentChanged, judged(said(1, 8, 23, feature="income"))) == of(IncidentChanged, PLAIN)
    quiet = of(IncidentChanged, judged(said(1, 8, 23, kind="performance")))
    assert all(c.silenced for c in quiet)
    loss = of(DriftDetected, PLAIN)[0]
    drift = replace(loss, detector="window_csr", feature="income")
    quality = replace(drift, detector="data_quality:missing")
    expected = replace(loss, detector="cbpe", feature="auc")
    for arguments, pages in (
        ({"feature": "income"}, (False, False, True)),
        ({"feature": "region"}, (True, True, True)),
        ({"feature": "income", "kind": "drift"}, (False, True, True)),
        ({"kind": "data_quality"}, (True, False, True)),
        ({"kind": "performance"}, (True, True, False)),
        ({}, (False, False, False)),
    ):
        silencing = Silencing()
        assert len(list(silencing.hear([order_of(0, said(0, 0, 23, **arguments))], SPEC, START))) == 1
        assert tuple(silencing.marked(alarm).paging for alarm in (drift, quality, loss)) == pages
        assert silencing.marked(expected).paging is pages[2], "what is expected of the loss is about it too"


def test_a_silence_of_a_feature_covers_what_a_detector_of_ones_own_finds_in_it() -> None:
    loss = of(DriftDetected, PLAIN)[0]
    silencing = Silencing()
    assert len(list(silencing.hear([order_of(0, said(0, 0, 23, feature="income"))], SPEC, START))) == 1
    for watch, pages in (
        ("feature:income", False),
        ("missing:income", False),
        ("distance:income", False),
        ("income", False),
        ("feature:region", True),
        ("metric:income", True),
        ("predictions", True),
    ):
        assert silencing.marked(replace(loss, detector="mine", feature=watch)).paging is pages, watch
    both = (
        replace(loss, detector="window_csr", feature="income"),
        replace(loss, detector="mine", feature="unseen:income"),
    )
    incident = replace(of(IncidentChanged, PLAIN)[0], evidence=both)
    assert silencing.marked(incident).silenced is not None, "both are about income alone"


def test_a_silence_can_be_ended_before_its_time_and_ends_once() -> None:
    silence = said(1, 8, 23)
    identity = order_of(0, silence).silence.identity
    events = judged(silence, ended(11.1, identity), ended(12.0, identity), ended(3.0, "nobody's"))
    counts, over = of(SilenceChanged, events)
    assert (over.change, over.author, over.reason) == ("ended", "bob", "done earlier")
    assert over.as_of == over.ends_at == START + 11.25 * DAY
    assert not any(c.silenced for c in of(IncidentChanged, events) if c.as_of >= over.as_of)
    assert any(c.silenced for c in of(IncidentChanged, events) if c.as_of < over.as_of)
    assert counts.silence == over.silence


def test_a_word_that_comes_when_its_time_is_over_says_so_and_silences_nothing() -> None:
    events = judged(said(22, 8, 17))
    assert [c.change for c in of(SilenceChanged, events)] == ["expired"]
    assert of(IncidentChanged, events) == of(IncidentChanged, PLAIN)


def test_a_known_outage_in_a_maintenance_window_leaves_no_evidence() -> None:
    events = judged(said(1, 7, 12, maintenance="yes"))
    assert of(IncidentChanged, events) == []
    assert of(DriftDetected, events) == []
    for window in of(WindowMeasured, events):
        inside = START + 6 * DAY < window.window_start < START + 12 * DAY
        assert (window.status == "UNKNOWN" and "maintenance" in window.status_reason) == inside
    reason = next(w.status_reason for w in of(WindowMeasured, events) if "maintenance" in w.status_reason)
    assert reason == f"maintenance until {rfc3339(START + 12 * DAY)} (ada: the bureau is migrated)"
    measured = [w.metrics for w in of(WindowMeasured, events)]
    assert measured == [w.metrics for w in of(WindowMeasured, PLAIN)], "everything is measured as before"


def test_the_same_panes_and_words_tell_the_same_however_they_are_cut_interleaved_and_crashed() -> None:
    words = (said(1, 8, 10.4), said(2, 11, 23, kind="performance"), said(5, 13, 14, maintenance="yes"))
    whole = judge_of(*words)
    whole.run(*STREAMS)
    rng = random.Random(5)
    log = interleaved(rng, STREAMS)
    other = with_crashes(rng, log, judge_of(*words))
    assert told(other) == told(whole)
    assert other.state == whole.state


def test_a_word_heard_late_counts_from_then_and_a_restart_does_not_count_it_again() -> None:
    judge = judge_of()
    third = len(STREAMS[0]) // 3
    for stream in STREAMS:
        judge.run(stream[:third])
    judge.shelf.said = [order_of(0, said(1, 2, 23))]
    judge.crash()
    for stream in STREAMS:
        judge.run(stream[third:])
        judge.crash()
    counts, _ = of(SilenceChanged, judge.events)
    assert counts.as_of > START + 5 * DAY
    live = [o.value for o in judge.outputs]
    again = judge_of()
    again.shelf.said = [order_of(0, said(1, 2, 23))._replace(as_of=counts.as_of)]
    again.run(*STREAMS)
    assert [o.value for o in again.outputs] == live, "a replay that knows when it counted tells the same"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"author": " "}, "without author or reason"),
        ({"reason": ""}, "without author or reason"),
        ({"as_of": math.nan}, "given at nan"),  # the judge could not keep it, and would end
        ({"arguments": {"from": "2026-01-01", "until": "soon"}}, "until='soon' of a silence is no time"),
        ({"arguments": {"from": "2026-01-02", "until": "2026-01-01"}}, "ends 2026-01-01, it begins 2026-01-02"),
        ({"arguments": {"from": "2026-01-01", "until": "2026-01-02", "kind": "moods"}}, "'moods' is no kind"),
    ],
)
def test_a_word_that_means_nothing_is_refused(wrong: dict, why: str) -> None:
    with pytest.raises(BadRecord, match=why):
        order_of(0, replace(said(1, 2, 3), **wrong))
