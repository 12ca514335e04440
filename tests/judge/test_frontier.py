"""The frontier: the least watermark, never back; a silent source is left out only when the log shows it is silent."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from driftloop.schemas.codec import encode
from driftloop.schemas.events import Progress, WindowMeasured
from driftloop.streams.judge.merge import SILENT_MS, Frontier

from .scenes import DAY, HOUR, START, Judge, make_rows, panes_of, progress, streams_of

NOW = 1_000_000


def seen(*told: tuple[Progress, int]) -> Frontier:
    frontier = Frontier()
    for event, timestamp_ms in told:
        frontier.absorb(event, timestamp_ms)
    return frontier


def spoke(partition: int, predictions: float, truths: float | None = None, caught_up: bool = True) -> Progress:
    return Progress(partition, 2, predictions, predictions if truths is None else truths, 0, 0, caught_up)


def test_until_every_partition_has_spoken_there_is_no_frontier() -> None:
    assert seen().reached(HOUR) == (-math.inf, ())
    assert seen((spoke(0, 100.0), NOW)).reached(HOUR) == (-math.inf, ())
    assert seen((spoke(0, 100.0), NOW), (spoke(1, -math.inf), NOW)).reached(HOUR) == (-math.inf, ())


def test_it_is_the_least_of_all_watermarks_of_both_topics() -> None:
    assert seen((spoke(0, 100.0, 70.0), NOW), (spoke(1, 80.0, 90.0), NOW)).reached(HOUR) == (70.0, ())


def test_it_never_goes_back() -> None:
    frontier = seen((spoke(0, 100.0), NOW), (spoke(1, 100.0), NOW))
    frontier.done = 100.0
    frontier.absorb(spoke(1, 50.0), NOW)
    assert frontier.reached(HOUR) == (100.0, ())


def test_being_behind_in_event_time_alone_is_not_silence() -> None:
    """In a backfill one partition is months ahead of another within a second."""
    frontier = seen((spoke(1, 0.0), NOW), (spoke(0, 90 * DAY), NOW + 1000))
    assert frontier.reached(HOUR) == (0.0, ())


def test_a_partition_that_is_silent_by_kafkas_clock_too_is_left_out_and_named() -> None:
    frontier = seen(
        (spoke(1, 0.0), NOW),
        (spoke(0, 2 * HOUR), NOW),
        (spoke(0, 3 * HOUR), NOW + SILENT_MS),
        (spoke(0, DAY), NOW + SILENT_MS + 1),
    )
    assert frontier.reached(HOUR) == (DAY, (1,))
    assert frontier.left_out((1,)) == ((1,), (1,), 2), "is it the observer or the source? nothing is heard"
    assert frontier.left_out((1,)).heard == 0.5
    assert frontier.reached(2 * DAY) == (0.0, ()), "not longer than the specification allows"


def test_the_first_to_speak_after_a_quiet_night_does_not_make_the_others_silent() -> None:
    """Nobody spoke for long; then one partition is hours ahead. The others get as long as ever to speak again."""
    frontier = seen((spoke(0, 0.0), NOW), (spoke(1, 0.0), NOW), (spoke(0, 9 * HOUR), NOW + 2 * SILENT_MS))
    assert frontier.reached(HOUR) == (0.0, ())
    frontier.absorb(spoke(0, 10 * HOUR), NOW + 3 * SILENT_MS)
    assert frontier.reached(HOUR) == (0.0, ())
    frontier.absorb(spoke(0, 10 * HOUR), NOW + 3 * SILENT_MS + 1)
    assert frontier.reached(HOUR) == (10 * HOUR, (1,))


def test_one_that_was_not_caught_up_is_waited_for_whatever_the_time() -> None:
    frontier = seen((spoke(1, 0.0, caught_up=False), NOW), (spoke(0, DAY), NOW + 10 * SILENT_MS))
    assert frontier.reached(HOUR) == (0.0, ())


def test_one_that_moves_again_counts_again() -> None:
    frontier = seen((spoke(1, 0.0), NOW), (spoke(0, DAY), NOW + SILENT_MS + 1))
    frontier.absorb(spoke(1, DAY - 600), NOW + SILENT_MS + 2)
    assert frontier.reached(HOUR) == (DAY - 600, ())


def test_truths_that_stay_away_do_not_hold_the_predictions_for_ever() -> None:
    """A label outage, or a model without labels: features are judged on."""
    frontier = seen(
        (spoke(0, 0.0, -math.inf), NOW),
        (spoke(1, 0.0, -math.inf), NOW),
        (spoke(0, 60.0, -math.inf), NOW + SILENT_MS),
        (spoke(0, DAY, -math.inf), NOW + SILENT_MS + 1),
        (spoke(1, 2 * DAY, -math.inf), NOW + SILENT_MS + 2),
    )
    assert frontier.reached(HOUR) == (DAY, (0, 1))
    left_out = frontier.left_out((0, 1))
    assert (left_out.unheard, left_out.heard) == ((), 1.0), "their observers are there, and have read all there is"


def test_a_partition_in_which_nothing_ever_came_misses_nothing() -> None:
    frontier = seen(
        (spoke(1, -math.inf), NOW),
        (spoke(0, 0.0), NOW),
        (spoke(0, 9.0), NOW + SILENT_MS),
        (spoke(0, DAY), NOW + SILENT_MS + 1),
    )
    assert frontier.reached(HOUR) == (DAY, (1,))
    assert frontier.left_out((1,)) == ((1,), (), 2)


def test_a_pane_behind_what_its_own_partition_has_told_counts_just_behind_that() -> None:
    pane = panes_of(make_rows(1, 1, partitions=1))[0]
    frontier = seen((progress(0, 1, pane.emitted_at), NOW))
    assert frontier.due(pane) == math.nextafter(pane.emitted_at, math.inf)
    assert frontier.due(replace(pane, emitted_at=pane.emitted_at + 1)) == pane.emitted_at + 1


def test_the_panes_of_a_partition_that_was_left_out_are_corrections_when_they_come() -> None:
    rows = make_rows(3, 3, partitions=3)
    streams = streams_of(panes_of(rows), 3, START + 8 * DAY)
    judge = Judge()
    silent = [encode(progress(2, 3, START - DAY))]
    judge.absorb([*silent, *streams[0], *streams[1]], timestamp_ms=NOW)
    judge.checkpoint()
    assert judge.events == []
    judge.absorb([streams[0][-1]], timestamp_ms=NOW + SILENT_MS)
    judge.checkpoint()
    assert judge.events == []
    judge.absorb([streams[0][-1]], timestamp_ms=NOW + 2 * SILENT_MS)
    judge.checkpoint()
    told = [e for e in judge.events if isinstance(e, WindowMeasured)]
    assert {w.partitions_idle for w in told} == {(2,)}
    judge.run(streams[2])
    final = {w.window_start: w for w in judge.events if isinstance(w, WindowMeasured) and w.closing == "labels"}
    expected = {START + d * DAY: sum(r.time // DAY == (START + d * DAY) // DAY for r in rows) for d in range(3)}
    late = {start: w.predictions for start, w in final.items() if start in expected}
    forgotten = START + 8 * DAY - (3 * DAY + 12 * HOUR + 600)
    assert late == {start: n for start, n in expected.items() if start > forgotten} | {
        start: sum(r.time // DAY == start // DAY and r.partition != 2 for r in rows)
        for start in expected
        if start <= forgotten
    }


def test_any_order_of_progress_gives_the_same_frontier() -> None:
    rng = random.Random(5)
    told = [(spoke(p, 100.0 * p + i), NOW) for p in (0, 1) for i in range(5)]
    for _ in range(20):
        # within a partition in order, across partitions in any
        picks = rng.sample([0] * 5 + [1] * 5, 10)
        queues = {0: told[:5], 1: told[5:]}
        log = [queues[p][picks[:i].count(p)] for i, p in enumerate(picks)]
        assert seen(*log).reached(HOUR) == (4.0, ())


def of_models(partition: int, latest: float, usual: float = 10.0, **disorders: float) -> Progress:
    most = max([usual, *disorders.values()])
    return Progress(partition, 2, latest - most, latest - most, 0, 0, True, latest, latest, usual, disorders)


def test_the_watermark_of_a_model_is_the_latest_event_time_less_its_own_disorder() -> None:
    frontier = seen((of_models(0, 500.0, slow=300.0), NOW), (of_models(1, 520.0, slow=300.0), NOW))
    assert frontier.reached(HOUR) == (500.0, ())
    frontier.advance(500.0)
    assert (frontier.done_of("any"), frontier.done_of("slow")) == (490.0, 200.0)


def test_what_version_1_tells_are_watermarks_for_all_models_alike() -> None:
    frontier = seen((spoke(0, 400.0), NOW), (of_models(1, 520.0, slow=300.0), NOW))
    frontier.advance(frontier.reached(HOUR)[0])
    assert frontier.done == 400.0
    assert frontier.done_of("slow") == 100.0, "as long as any partition may still hold it back"


def test_a_model_whose_disorder_grows_goes_not_back() -> None:
    frontier = seen((of_models(0, 500.0), NOW), (of_models(1, 500.0), NOW))
    frontier.advance(500.0)
    frontier.absorb(of_models(0, 510.0, slow=300.0), NOW, ["slow", "any"])
    assert frontier.disorder_of("slow") == 300.0, "the longest that any partition goes by"
    assert frontier.done_of("slow") == 490.0 and frontier.floors == {"slow": 490.0}
    frontier.absorb(of_models(1, 900.0, slow=300.0), NOW, ["slow", "any"])
    frontier.absorb(of_models(0, 900.0, slow=300.0), NOW, ["slow", "any"])
    frontier.advance(frontier.reached(HOUR)[0])
    assert frontier.done_of("slow") == 600.0 and not frontier.floors


def test_a_newcomer_goes_by_its_own_disorder_until_an_instant_of_it_was_worked_off() -> None:
    """Neither partition knew of it when it told its time, and the other one still does not."""
    frontier = seen((of_models(0, 500.0), NOW), (of_models(1, 500.0), NOW))
    frontier.advance(500.0)
    pane = replace(panes_of(make_rows(1, 1, partitions=1))[0], model="new", emitted_at=300.0)
    frontier.comes("new", 300.0)
    assert frontier.done_of("new") == 200.0 and frontier.done_of("any") == 490.0
    assert frontier.due(pane) == 300.0
    frontier.absorb(of_models(0, 650.0, new=300.0), NOW, ["new", "any"])
    assert not frontier.floors, "nothing of it is past that could come back"
    frontier.has_begun("new")
    assert frontier.disorder_of("new") == 300.0, "as partition 0 tells by now"
    assert frontier.due(replace(pane, partition=1)) == math.nextafter(490.0, math.inf)


def test_who_is_a_newcomer_is_known_from_the_state() -> None:
    panes = panes_of(make_rows(1, 2, per_day=20, partitions=2))
    judge = Judge()
    judge.run([encode(of_models(p, START)) for p in (0, 1)])
    judge.run([encode(pane) for pane in panes])
    assert judge.fold.frontier.newcomers == {"loans": 600.0}
    judge.crash()
    assert judge.fold.frontier.newcomers == {"loans": 600.0}
    judge.run([encode(of_models(p, START + DAY)) for p in (0, 1)])
    assert not judge.fold.frontier.newcomers
    judge.crash()
    assert not judge.fold.frontier.newcomers and judge.fold.frontier.disorder_of("loans") == 10.0


def test_what_version_1_tells_has_no_disorder_of_a_newcomer_in_it_any_more() -> None:
    frontier = seen((spoke(0, 400.0), NOW), (spoke(1, 400.0), NOW))
    frontier.advance(400.0)
    frontier.comes("new", 300.0)
    assert frontier.done_of("new") == 400.0


def test_a_state_from_before_models_had_frontiers_goes_on_where_it_was() -> None:
    judge = Judge()
    judge.run(*streams_of(panes_of(make_rows(1, 2, per_day=20)), 3, START + 2 * DAY))
    old = judge.state | {b'["frontier"]': b'{"done":%.1f}' % (START + 2 * DAY)}
    again = Judge(state=old)
    assert again.fold.frontier.done_of("loans") == judge.fold.frontier.done_of("loans") == START + 2 * DAY
    rest = [encode(progress(p, 3, START + 9 * DAY)) for p in range(3)]
    judge.outputs.clear()
    assert judge.run(rest) == again.run(rest)
