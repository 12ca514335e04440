"""A service set back, by our command and by Kafka's own tool: numbers as if nothing had been, none counted twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_END, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from driftloop.console.broker.classes import java_and_jars
from driftloop.console.broker.launch import JVM, archive_of
from driftloop.schemas.events import Pane, WindowMeasured
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import BEGIN_ANEW
from driftloop.streams.observer.recovery.replay import REVISIONS_A_REWIND
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.state.header import HEADER_KEY

from ..patience import GUARD_SECONDS
from .loop import Loop, Step, final_windows, prepare, publish, running, steps_of
from .test_status import caught_up, services
from .world import DAY, World, expected_windows, make_world

WORLD = make_world(seed=6, history_days=2, days=8, change_day=99, per_day=80)
END = WORLD.end + 2.5 * DAY


def consumer_groups(settings: Settings, *arguments: str) -> str:
    """Kafka's own kafka-consumer-groups, as it stands in the jars of the embedded broker."""
    java, jars = java_and_jars(os.environ, print)
    done = subprocess.run(
        [
            str(java.path),
            *JVM,
            f"-XX:SharedArchiveFile={archive_of(java, jars)}",
            "-cp",
            ":".join(map(str, jars)),
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            "--bootstrap-server",
            settings.bootstrap_servers,
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=GUARD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def halves() -> tuple[list[Step], list[Step]]:
    """The live records up to two thirds of the days, and the rest."""
    live = steps_of(WORLD)[1]
    cut = WORLD.live_from + 4 * DAY
    return [s for s in live if s[0] < cut], [s for s in live if s[0] >= cut]


@pytest.fixture
def loop(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Loop]:
    """Observer and judge are at work and have read the first half. The parameter: settings of theirs."""
    with running(replace(settings, **getattr(request, "param", {})), tmp_path) as found:
        prepare(found, WORLD)
        found.start("observer", "judge")
        first, _ = halves()
        publish(settings, first, first[-1][0])
        wait_until_read(found, len(steps_of(WORLD)[0]) + len(first))
        found.wait("the group's offsets", lambda: follows(found))
        yield found


def wait_until_read(loop: Loop, records: int) -> None:
    loop.wait(f"{records} records read", lambda: caught_up(loop, World((), 0, 0)) and read_by(loop) >= records)


def read_by(loop: Loop) -> int:
    return sum(s["next_offset"] for p in services(loop)["observer"]["partitions"] for s in p["sources"])


def follows(loop: Loop) -> bool:
    sources = [s for p in services(loop)["observer"]["partitions"] for s in p["sources"]]
    return all(s["committed"] == s["next_offset"] for s in sources if s["next_offset"])


def expect_as_if_nothing_had_been(loop: Loop) -> None:
    """The second half, and all final numbers against the plain list of loans."""
    loop.start("observer", "judge")
    publish(loop.settings, halves()[1], END)
    expect_final_numbers(loop)


def last_told(loop: Loop) -> list[WindowMeasured]:
    """The last day, as it was told when its labels were final."""
    windows = [w for w in loop.read("windows") if isinstance(w, WindowMeasured)]
    return [w for w in windows if w.closing == "labels" and w.window_start == WORLD.end - DAY]


def expect_final_numbers(loop: Loop, told_before: int = 0) -> None:
    """Once the last window is told anew."""
    final = loop.wait("the last window", lambda: last_told(loop)[told_before:])
    windows = final_windows([w for w in loop.read("windows") if isinstance(w, WindowMeasured)])
    for start, truth in expected_windows(WORLD, until=END).items():
        window = windows[start, "v1"]
        assert (window.predictions, window.labelled) == (truth["predictions"], truth["labelled"]), start
        assert window.metrics["log_loss"].value == pytest.approx(truth["log_loss"], abs=1e-9)
        assert window.metrics["auc"].value == pytest.approx(truth["auc"], abs=0.02)
    totals = final[-1].totals
    labelled = sum(loan.label is not None for loan in WORLD.loans)
    assert (totals["predictions"], totals["labelled"]) == (len(WORLD.loans), labelled)
    assert (totals["duplicates"], totals["orphans"], totals["too_late"]) == (0, 0, 0)
    assert loop.read("dead-letter") == []


def told(loop: Loop) -> list[Pane]:
    return [e for e in loop.read("panes") if isinstance(e, Pane) and e.kind == "features"]


def rebuilt(loop: Loop) -> list[Pane]:
    """Panes that were told under a revision that only a rewind gives."""
    return [pane for pane in told(loop) if pane.revision >= REVISIONS_A_REWIND]


def driftloop(loop: Loop, *arguments: str) -> tuple[int, str]:
    """(exit code, what it said) of a command of ours."""
    done = subprocess.run(
        [sys.executable, "-m", "driftloop.console", *arguments],
        env=loop.environment,
        capture_output=True,
        text=True,
        timeout=GUARD_SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.kafka
def test_our_command_reads_everything_again(loop: Loop) -> None:
    code, said = driftloop(loop, "rewind", "observer", "--to", "earliest", "--yes")
    assert code == 2
    assert f"1 member(s) of group {loop.settings.group('observer')} are at work: " in said
    assert set(loop.stop().values()) == {0}
    read = read_by(loop)
    before = {(p.model, p.role, p.pane_start, p.partition) for p in told(loop)}
    code, said = driftloop(loop, "rewind", "observer", "--to", "earliest", "--yes")
    assert code == 0, said
    assert f"observer: {read:,} offsets are read again; what was told of the time from the beginning on" in said
    assert said.count("everything is told anew") == loop.settings.partitions
    expect_as_if_nothing_had_been(loop)
    again = {(p.model, p.role, p.pane_start, p.partition) for p in rebuilt(loop)}
    assert again >= before


@pytest.mark.kafka
@pytest.mark.parametrize("loop", [{"instance_id": "one"}], ids=["static"], indirect=True)
def test_our_command_from_a_time_on_with_workers_at_work(loop: Loop) -> None:
    since = WORLD.live_from + DAY
    moment = datetime.fromtimestamp(since, UTC).isoformat()
    code, said = driftloop(loop, "rewind", "observer", "--to", moment, "--yes", "--force")
    assert code == 0, said
    publish(loop.settings, [], halves()[0][-1][0] + 1)  # something to write
    observer = loop.processes.pop("observer")
    assert observer.wait(GUARD_SECONDS) == Exit.FENCED
    loop.kill("judge")
    expect_as_if_nothing_had_been(loop)
    assert min(pane.pane_start for pane in rebuilt(loop)) == since


@pytest.mark.kafka
def test_deleted_group_offsets_change_nothing_and_what_is_skipped_is_counted(loop: Loop) -> None:
    assert set(loop.stop().values()) == {0}
    settings, group = loop.settings, loop.settings.group("observer")
    consumer_groups(settings, "--group", group, "--delete")
    ahead = [(WORLD.end + 90 * DAY, False, loan) for loan in WORLD.loans[:40]]  # in their place nobody wants them
    publish(settings, ahead)
    position = {s["topic"]: s for p in services(loop)["observer"]["partitions"][:1] for s in p["sources"]}
    topic = settings.topic("predictions")
    skipped = position[topic]["end_offset"] - position[topic]["next_offset"]
    assert skipped > 0
    both = [part for where in ("predictions", "ground-truth") for part in ("--topic", settings.topic(where))]
    consumer_groups(settings, "--group", group, "--reset-offsets", "--to-latest", *both, "--execute")
    expect_as_if_nothing_had_been(loop)
    assert f"{topic}[0]: set ahead from offset" in (loop.logs / "observer.log").read_text()
    sources = services(loop)["observer"]["partitions"][0]["sources"]
    assert {s["topic"]: s["skipped"] for s in sources}[topic] == skipped


@pytest.mark.kafka
def test_the_tools_reset_is_obeyed(loop: Loop) -> None:
    assert set(loop.stop().values()) == {0}
    settings = loop.settings
    group = settings.group("observer")
    consumer_groups(settings, "--group", group, "--reset-offsets", "--shift-by", "-60", "--all-topics", "--execute")
    stood = {p["partition"]: p for p in services(loop)["observer"]["partitions"]}
    expect_as_if_nothing_had_been(loop)
    log = (loop.logs / "observer.log").read_text()
    topic = settings.topic("predictions")
    for number, partition in stood.items():
        source = next(s for s in partition["sources"] if s["topic"] == topic)
        position = max(0, source["next_offset"] - 60)
        assert (
            f"as an operator has set the group's offsets: {topic}[{number}]: set back from offset "
            f"{source['next_offset']} to {position}" in log
        )
    again = rebuilt(loop)
    assert {pane.partition for pane in again} == set(range(settings.partitions))
    assert min(pane.pane_start for pane in again) > WORLD.live_from  # earlier ones stay as they were told
    assert follows(loop)


def of_another_version(loop: Loop, state: str) -> None:
    """The state as a version of driftloop with another layout would have left it."""
    settings, last = loop.settings, {}
    for message, value in loop.read_raw(state):
        if message.key() == HEADER_KEY and value:
            last[message.partition()] = json.loads(value) | {"layout": 99}
    assert len(last) == settings.partitions
    producer = Producer(settings.confluent())
    for partition, header in last.items():
        producer.produce(settings.topic(state), json.dumps(header).encode(), HEADER_KEY, partition)
    assert producer.flush(GUARD_SECONDS) == 0


def let_panes_expire(settings: Settings) -> None:
    """As the broker does after three days."""
    admin, topic = AdminClient(settings.confluent()), settings.topic("panes")
    ends = [TopicPartition(topic, p, OFFSET_END) for p in range(settings.partitions)]
    for future in admin.delete_records(ends).values():
        future.result(GUARD_SECONDS)


def begin_anew(loop: Loop, service: str) -> None:
    """What a worker says when it finds a foreign state, and then, word for word, what it says."""
    assert set(loop.stop().values()) == {0}
    of_another_version(loop, f"{service}-state")
    let_panes_expire(loop.settings)
    loop.start(service)
    assert loop.processes.pop(service).wait(GUARD_SECONDS) == Exit.CONFIG
    assert BEGIN_ANEW in (loop.logs / f"{service}.log").read_text()
    admin, topic = AdminClient(loop.settings.confluent()), loop.settings.topic(f"{service}-state")
    admin.delete_topics([topic])[topic].result(GUARD_SECONDS)
    commands = [("topics", "apply"), *([("rewind", "observer", "--to", "earliest", "--yes")] * (service == "judge"))]
    for command in commands:
        assert f"`driftloop {' '.join(command).removesuffix(' --yes')}`" in BEGIN_ANEW
        code, said = driftloop(loop, *command)
        assert code == 0, said


@pytest.mark.kafka
@pytest.mark.parametrize("loop", [{"session_seconds": 6.0}], ids=["6 s"], indirect=True)  # some end without leaving
def test_what_a_worker_says_of_a_foreign_state_leads_to_the_same_numbers(loop: Loop) -> None:
    begin_anew(loop, "observer")
    expect_as_if_nothing_had_been(loop)
    before, of_last_day = Counter(w.window_start for w in loop.read("windows")), len(last_told(loop))
    begin_anew(loop, "judge")
    loop.start("observer", "judge")
    expect_final_numbers(loop, of_last_day)
    told = Counter(w.window_start for w in loop.read("windows"))
    assert all(told[start] > count for start, count in before.items()), "all that it had told is told again"
