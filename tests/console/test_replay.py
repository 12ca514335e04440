"""A replay, pure: the order in which records come changes nothing it tells; a difference is named by its field."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from driftloop.console.replay.pipeline import Pipeline, Told
from driftloop.console.replay.report import Replayed, as_json, lines
from driftloop.console.replay.trainings import trainings
from driftloop.console.replay.verdict import compare, last_windows
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.events import GroundTruth, MonitorApplied, TimeMarker, WindowMeasured
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.murmur2 import partition_of
from driftloop.streams.fold import FoldContext, SourceRecords
from driftloop.streams.judge.fold import JudgeFold
from driftloop.streams.observer.fold import ObserverFold

HOUR = 3_600.0
START = 1_600_041_600.0  # 2020-09-14 00:00 UTC
HOURS, AN_HOUR = 48, 10
PARTITIONS = 2
LOANS = MonitorSpecification(
    model="loans",
    task="binary",
    classes=("repaid", "default"),
    features=(Feature("income", "f_income", "numeric", edges=(-1.0, 0.0, 1.0)),),
    horizon_seconds=8 * HOUR,
    disorder_seconds=600.0,
    pane_seconds=HOUR,
    window_seconds=6 * HOUR,
)
Logs = dict[tuple[str, int], list[tuple[bytes | None, bytes]]]


def logs(seed: int) -> Logs:
    """Two days: a prediction every six minutes, its truth within five hours; one in ten never known."""
    rng, steps = random.Random(seed), []
    for i in range(HOURS * AN_HOUR):
        when, name = START + i * HOUR / AN_HOUR, f"loan-{i}".encode()
        features = {"income": rng.gauss(0, 1)}
        steps.append(
            ("predictions", when, name, encode_prediction(layout(LOANS), when, rng.random(), features, "v1"))
        )
        if rng.random() < 0.9:
            known = when + rng.random() * 5 * HOUR
            steps.append(
                ("ground-truth", known, name, encode(GroundTruth(known, "loans", rng.choice(LOANS.classes))))
            )
    found: Logs = {(topic, p): [] for topic in ("predictions", "ground-truth") for p in range(PARTITIONS)}
    for topic, _, name, value in sorted(steps, key=lambda step: step[1]):
        found[topic, partition_of(name, PARTITIONS)].append((name, value))
    for log in found.values():
        log.append((None, encode(TimeMarker(START + (HOURS + 10) * HOUR, "test"))))
    return found


def full_name(short: str) -> str:
    return f"t.{short}.v1"


def catalogue_of_loans() -> Catalogue:
    catalogue = Catalogue()
    catalogue.absorb("monitors", 0, b"loans", encode(MonitorApplied("loans", LOANS.spec, LOANS.to_json())))
    return catalogue


def replayed(found: Logs, seed: int, most: int) -> list[Told]:
    """Through the pipeline, in pieces of up to ``most`` records, the partitions and topics as the dice fall."""
    rng = random.Random(seed)
    pipeline = Pipeline("loans", PARTITIONS, catalogue_of_loans(), full_name)
    done = dict.fromkeys(found, 0)
    while left := [place for place, log in found.items() if done[place] < len(log)]:
        (topic, partition), count = rng.choice(left), rng.randint(1, most)
        first = done[topic, partition]
        some = found[topic, partition][first : first + count]
        done[topic, partition] = end = first + len(some)
        keys, values = [key for key, _ in some], [value for _, value in some]
        stamps, lag = [int((START + 99 * HOUR) * 1000)] * len(some), len(found[topic, partition]) - end
        full = full_name(topic)
        pipeline.absorb(
            SourceRecords(full, partition, range(first, end), keys, values, stamps, [()] * len(some), lag)
        )
    pipeline.end()
    assert pipeline.dead_letters == 0
    return pipeline.told


def windows(told: list[Told]) -> list[WindowMeasured]:
    return [one.event for one in last_windows(told).values() if isinstance(one.event, WindowMeasured)]


@pytest.fixture(scope="module")
def told() -> list[Told]:
    return replayed(logs(1), seed=1, most=10_000)


def test_every_record_counts_once(told: list[Told]) -> None:
    found = [w for w in windows(told) if w.window_start < START + HOURS * HOUR]
    assert [w.predictions for w in found] == [6 * AN_HOUR] * (HOURS // 6)
    truths = sum(len(log) - 1 for (topic, _), log in logs(1).items() if topic == "ground-truth")
    assert sum(w.labelled for w in found) == truths


@pytest.mark.parametrize(("seed", "most"), [(2, 1), (3, 7), (4, 200)])
def test_the_order_in_which_records_come_changes_no_byte(told: list[Told], seed: int, most: int) -> None:
    verdict = compare(told, replayed(logs(1), seed, most))
    assert (verdict.difference, verdict.windows, verdict.ahead) == ("", len(windows(told)), 0)


def test_panes_and_events_are_handed_over_as_their_records_would_hold_them() -> None:
    context = FoldContext(catalogue_of_loans(), lambda: None, PARTITIONS, full_name)
    written, handed = ([ObserverFold(p, {}, context) for p in range(PARTITIONS)] for _ in range(2))
    by_bytes, by_hand = JudgeFold(0, {}, context), JudgeFold(0, {}, context)
    for (short, partition), log in sorted(logs(1).items(), reverse=True):
        n, stamps = len(log), [int((START + 99 * HOUR) * 1000)] * len(log)
        keys, values = [key for key, _ in log], [value for _, value in log]
        records = SourceRecords(full_name(short), partition, range(n), keys, values, stamps, [()] * n, 0)
        for fold in (written[partition], handed[partition]):
            fold.absorb(records)
    for partition in range(PARTITIONS):
        records = [o.value for o in written[partition].collect().outputs if o.partition != 1]
        panes, letters = handed[partition].replay("loans")
        assert [repr(decode(value)) for value in records] == [repr(pane) for pane in panes]
        assert letters == 0
        n = len(records)
        by_bytes.absorb(SourceRecords(full_name("panes"), 0, range(n), [None] * n, records, [0] * n, [()] * n, 0))
        told = by_hand.replay(panes)
        values = [o.value for o in by_bytes.collect().outputs]
        assert values == [encode(event) for event in told]
        assert [repr(decode(value)) for value in values] == [repr(event) for event in told]
    assert len(values) > HOURS // 6


def test_a_record_less_is_found_and_named(told: list[Told]) -> None:
    fewer = logs(1)
    name = fewer["ground-truth", 0].pop(3)[0]
    assert name is not None
    hour = int(name.decode().removeprefix("loan-")) // AN_HOUR
    window = next(w for w in windows(told) if w.window_start == START + hour // 6 * 6 * HOUR)
    found = compare(told, replayed(fewer, seed=1, most=10_000)).difference
    assert found.endswith(f"labelled is {window.labelled} live, {window.labelled - 1} by the replay")


def test_what_the_live_judge_has_not_told_yet_is_no_difference(told: list[Told]) -> None:
    until = START + 30 * HOUR
    verdict = compare([one for one in told if one.event.as_of <= until], told)
    assert verdict.difference == ""
    assert verdict.ahead == sum(one.event.as_of > until for one in told) > 0


def test_a_window_that_only_one_side_has_told_is_a_difference(told: list[Told]) -> None:
    first = min(w.window_start for w in windows(told))
    less = [o for o in told if not (isinstance(o.event, WindowMeasured) and o.event.window_start == first)]
    assert compare(told, less).difference == "window 2020-09-14T00:00:00.000Z of v1 (champion): told live only"
    assert compare(less, told).difference.endswith("told by the replay only")


def test_a_difference_inside_a_map_is_named_by_its_key(told: list[Told]) -> None:
    at = next(
        i for i, one in enumerate(told) if isinstance(one.event, WindowMeasured) and one.event.closing == "labels"
    )
    event = told[at].event
    assert isinstance(event, WindowMeasured)
    other = replace(event, totals=event.totals | {"orphans": 77})
    assert compare([*told[:at], Told(other, encode(other)), *told[at + 1 :]], told).difference == (
        f"window {'2020-09-14T00:00:00.000Z'} of v1 (champion): totals[orphans] is 77 live, "
        f"{event.totals.get('orphans')} by the replay"
    )


def test_a_report_says_what_was_read_and_whether_it_is_the_same(told: list[Told]) -> None:
    verdict = compare(told, told)
    found = Replayed(LOANS, True, 900, 0.5, 0, tuple(told), tuple(trainings(told, LOANS)), verdict)
    said = "\n".join(lines(found))
    assert "loans: 900 records in 0.5 s (1,800 a second)" in said
    assert f"identical: {verdict.windows} windows, 0 alarms and incidents, sha256 {verdict.sha256}" in said
    assert as_json(found)["windows"] == len(windows(told))
    unknown = [w for w in windows(told) if w.status_reason == "no reference: driftloop reference build"]
    assert as_json(found)["unknown"]["no reference: driftloop reference build"] == len(unknown) > 0
    assert f"{len(unknown)} of the windows are UNKNOWN: no reference: driftloop reference build\n" in said
    on_trial = "\n".join(lines(found._replace(is_live=False)))
    assert "no reference: driftloop reference build, or --reference rows.csv here" in on_trial
    changed = found._replace(verdict=verdict._replace(difference="window x: labelled"))
    assert "NOT identical to what was told live: window x: labelled" in "\n".join(lines(changed))
