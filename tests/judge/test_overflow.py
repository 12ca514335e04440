"""The join store threw rows away: the judge says so, again when it goes on, and not on every pane."""

from __future__ import annotations

from driftloop.schemas.codec import encode
from driftloop.schemas.events import DriftDetected, Pane

from .scenes import DAY, HOUR, MODEL, SPEC, START, Judge, progress


def counters(day: float, partition: int, overflow: int) -> bytes:
    at = START + day * DAY
    whose = (MODEL, "", "", SPEC.spec, at - 6 * HOUR, 6 * HOUR, partition, "counters", -1, at, 0)
    return encode(Pane(*whose, -1, -1, -1, -1, {"duplicates": 7} | ({"overflow": overflow} if overflow else {})))


def day_of(alarm: DriftDetected) -> float:
    return (alarm.as_of - START) / DAY


def told(*panes: bytes, until: float, crash_after: int = 0, crash_at: float = 0.0) -> list[DriftDetected]:
    judge = Judge()
    judge.run(panes[:crash_after], [encode(progress(p, 2, START + crash_at * DAY)) for p in (0, 1)])
    judge.crash()
    judge.run(panes[crash_after:], [encode(progress(p, 2, START + until * DAY)) for p in (0, 1)])
    return [e for e in judge.events if isinstance(e, DriftDetected)]


def test_rows_thrown_away_are_an_alarm_of_the_model_with_their_number() -> None:
    panes = [counters(1.0, 0, 0), counters(1.25, 0, 40), counters(1.25, 1, 2)]
    alarm = told(*panes, until=2)[0]
    assert (alarm.detector, alarm.statistic, alarm.effect, alarm.unit) == ("join_overflow", 42.0, 42.0, "records")
    assert alarm.paging
    assert (day_of(alarm), alarm.spec) == (1.25, SPEC.spec)
    assert told(counters(1.0, 0, 0), until=2) == []


def test_it_is_told_again_when_it_goes_on_at_most_once_a_window_and_not_again_after_a_crash() -> None:
    panes = [counters(d, 0, n) for d, n in ((1.0, 40), (1.5, 70), (2.0, 90), (3.0, 90), (4.0, 90), (5.0, 95))]
    alarms = told(*panes, until=6)
    assert [(day_of(a), a.effect) for a in alarms] == [(1.0, 40.0), (2.0, 50.0), (5.0, 5.0)]
    assert told(*panes, until=6, crash_after=3, crash_at=2.5) == alarms


def test_a_state_of_before_has_told_nothing() -> None:
    judge = Judge()
    judge.run([counters(1.0, 0, 40)], [encode(progress(p, 2, START + 1.5 * DAY)) for p in (0, 1)])
    name = next(key for key in judge.state if key.startswith(b'["model"'))
    assert b'"overflow_told":[40,' in judge.state[name]
    judge.state[name] = judge.state[name].replace(b'"overflow_told":[40,', b'"older":[40,')
    judge.crash()
    judge.run([counters(3.0, 0, 40)], [encode(progress(p, 2, START + 4 * DAY)) for p in (0, 1)])
    assert [day_of(e) for e in judge.events if isinstance(e, DriftDetected)] == [1.0, 3.0]
