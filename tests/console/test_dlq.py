"""`driftloop dlq` on a real broker: what it lists and shows, and what it puts back, once."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from driftloop.console.cat import cat
from driftloop.console.dlq_ledger import Place
from driftloop.console.dlq_letters import when
from driftloop.console.dlq_list import HEAD, list_lines
from driftloop.console.dlq_originals import EXPIRED, NOT_OURS, Original
from driftloop.console.dlq_replay import Wish, replay_letters
from driftloop.console.dlq_show import show_lines
from driftloop.console.dlq_writer import ReplayWriter, Return
from driftloop.console.reading import read_messages
from driftloop.schemas.codec import encode
from driftloop.schemas.deadletter import Header, dead_letter
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.events import GroundTruth
from driftloop.schemas.settings import Settings

from ..patience import GUARD_SECONDS

PRODUCED_MS = int((time.time() - 86_400) * 1000)
"""Yesterday: what is older than its topic keeps records would be gone again at once."""
TRUTH = encode(GroundTruth(1_700_000_000.0, "loans", "repaid"))


class Desk:
    """An operator's desk: letters come in, commands go out, and what they said is kept."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.truths = settings.topic("ground-truth")
        self.said: list[str] = []
        self._producer = Producer(settings.confluent(message_max_bytes=20_000_000))

    def produce(self, topic: str, value: bytes | None, key: bytes | None, partition: int, **more: Any) -> int:
        """The offset it was given."""
        found: list[int] = []

        def remember(error: Any, message: Message) -> None:
            if error is None:
                found.append(message.offset())

        deadline = time.monotonic() + GUARD_SECONDS
        while not found and time.monotonic() < deadline:  # a topic's new limit on sizes holds a moment later
            self._producer.produce(topic, value, key, partition, on_delivery=remember, **more)
            assert self._producer.flush(GUARD_SECONDS) == 0
        return found[0]

    def refuse(
        self,
        offset: int,
        value: bytes | None = TRUTH,
        key: bytes | None = b"id",
        headers: tuple[Header, ...] = (),
        reason: str = "unknown-model",
        topic: str = "",
        partition: int = 1,
    ) -> str:
        """A letter as the observer writes it; its id."""
        place = (topic or self.truths, partition, offset)
        made = dead_letter(*place, key, value, headers, PRODUCED_MS, reason, f"{reason}: why", "observer")
        letters = self.settings.topic("dead-letter")
        return f"2:{self.produce(letters, made[1], made[0], 2, headers=list(made[2]))}"

    def replay(self, wish: Wish = Wish(), dry_run: bool = False, answer: bool | None = None) -> bool:  # noqa: B008
        self.said.clear()
        asked = None if answer is None else (lambda _: answer)
        return replay_letters(self.settings, wish, dry_run, asked, self.said.append)

    def listed(self, reason: str = "", since: str = "", topic: str = "", limit: int = 10) -> Any:
        (line,) = list_lines(self.settings, reason, since, topic, limit, True)
        return json.loads(line)

    def settle(self, replayed: int) -> None:
        """Wait for the notes on what was replayed to be readable."""
        deadline = time.monotonic() + GUARD_SECONDS
        while self.listed()["replayed"] != replayed:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def back(self, count: int) -> list[Message]:
        """All truths; a transaction that is committed is readable a moment later."""
        deadline = time.monotonic() + GUARD_SECONDS
        while True:
            found = list(read_messages(self.settings, self.truths))
            if len(found) >= count or time.monotonic() > deadline:
                assert len(found) == count
                return found


@pytest.fixture
def desk(settings: Settings) -> Desk:
    return Desk(settings)


@pytest.mark.kafka
def test_a_record_comes_back_as_it_was_and_only_once(desk: Desk) -> None:
    headers: tuple[Header, ...] = (("traceparent", b"00-1"), ("nothing", None))
    desk.refuse(41, key=b"id-1", headers=headers)
    desk.refuse(42, value=None, key=None)
    desk.replay(dry_run=True)
    assert desk.said == [f"{desk.truths}: 2 of the reason unknown-model", "a dry run: 2 would be put back"]
    desk.replay(answer=False)
    assert desk.said[-1] == "nothing was done"
    assert desk.back(0) == []

    assert desk.replay(answer=True) is False
    assert desk.said[-1] == "2 records are back on their topics"
    first, second = desk.back(2)
    desk.settle(replayed=2)
    assert (first.partition(), first.key(), first.value(), first.timestamp()[1]) == (1, b"id-1", TRUTH, PRODUCED_MS)
    letters = desk.settings.topic("dead-letter")
    assert first.headers() == [
        *headers,
        ("driftloop.replayed-from", f"{letters}:2:0".encode()),
        ("driftloop.replays", b"1"),
    ]
    assert (second.partition(), second.key(), second.value()) == (1, None, None)

    desk.replay()
    assert desk.said == [
        "2 were replayed before and are left alone (--again takes them too)",
        "nothing is to be replayed",
    ]
    assert (desk.listed()["letters"], desk.listed()["replayed"]) == (2, 2)
    desk.replay(Wish(again=True))
    desk.back(4)


@pytest.mark.kafka
def test_letters_are_chosen_by_reason_topic_time_and_id(desk: Desk) -> None:
    one, two = desk.refuse(1), desk.refuse(2, reason="truncated")
    predictions = desk.settings.topic("predictions")
    three = desk.refuse(3, reason="truncated", topic=predictions)
    groups = {(g["reason"], g["topic"]): g["letters"] for g in desk.listed()["groups"]}
    assert groups == {
        ("unknown-model", desk.truths): 1,
        ("truncated", desk.truths): 1,
        ("truncated", predictions): 1,
    }
    assert [entry["id"] for entry in desk.listed(limit=2)["latest"]] == [three, two]
    assert desk.listed(reason="truncated", topic="ground-truth")["letters"] == 1
    assert desk.listed(since="1 h")["letters"] == 3
    assert desk.listed(since="2999-01-01")["letters"] == 0
    for wish, count in (
        (Wish(reason="truncated", topic="predictions"), 1),
        (Wish(since="1 h", ids=(one, two)), 2),
        (Wish(since="2999-01-01T00:00:00Z"), 0),
    ):
        desk.replay(wish, dry_run=True)
        assert desk.said[-1] == (f"a dry run: {count} would be put back" if count else "nothing is to be replayed")
    for wrong in (Wish(ids=("2:99",)), Wish(ids=("two",)), Wish(since="soon"), Wish(topic="weather")):
        with pytest.raises(ConfigError):
            desk.replay(wrong)


@pytest.mark.kafka
def test_what_was_too_large_for_a_letter_comes_from_its_topic_or_is_counted(desk: Desk) -> None:
    resource = ConfigResource(ResourceType.TOPIC, desk.truths)
    resource.add_incremental_config(
        ConfigEntry("max.message.bytes", "12000000", incremental_operation=AlterConfigOpType.SET)
    )
    admin = AdminClient(desk.settings.confluent())
    [future.result(GUARD_SECONDS) for future in admin.incremental_alter_configs([resource]).values()]
    large, key = TRUTH + random.randbytes(3_000_000), b"k" * 70_000
    offset = desk.produce(desk.truths, large, key, 1)
    desk.produce(desk.truths, TRUTH, b"small", 1)
    kept = desk.refuse(offset, large, key)
    desk.refuse(offset + 1, large, key)
    desk.refuse(offset + 9, large, key)
    desk.refuse(7, topic="somebody-elses")

    shown = json.loads(next(iter(show_lines(desk.settings, kept, True))))
    assert (shown["value_size"], len(shown["value"])) == (len(large), 2 * 65_536)
    assert desk.replay() is True
    assert desk.said[-1] == f"1 cannot be put back: {NOT_OURS}"
    assert "1 of them were too large for a letter and come from their topic" in desk.said
    assert f"1 cannot be put back: {EXPIRED}" in desk.said
    assert "1 cannot be put back: the letter was cut, and another record is in the original's place" in desk.said
    assert "1 records are back on their topics" in desk.said
    again = desk.back(3)[-1]
    assert (again.key(), again.value()) == (key, large)
    desk.settle(replayed=1)
    assert desk.listed()["letters"] == 4


@pytest.mark.kafka
def test_what_a_topic_does_not_take_any_more_does_not_hold_up_the_rest(desk: Desk) -> None:
    writer = ReplayWriter(desk.settings)
    noise = [random.randbytes(size) for size in (10, 3_000_000, 20)]
    some = [Original(desk.truths, 1, b"k", value, [], PRODUCED_MS, False) for value in noise]
    refused = writer.write([Return(original, [Place(0, i)]) for i, original in enumerate(some)])
    assert list(refused) == [Place(0, 1)]
    assert "as large" in refused[Place(0, 1)]
    assert [len(m.value()) for m in desk.back(2)] == [10, 20]


@pytest.mark.kafka
def test_of_two_replays_the_later_ends_the_earlier_and_nothing_is_doubled(desk: Desk) -> None:
    desk.refuse(41)
    killed = ReplayWriter(desk.settings)._producer
    killed.begin_transaction()
    killed.produce(desk.truths, b"half done", b"id", 1)
    killed.flush(GUARD_SECONDS)
    earlier = ReplayWriter(desk.settings)
    desk.replay()
    with pytest.raises(Unavailable, match="another"):
        earlier.write([Return(Original(desk.truths, 1, b"id", TRUTH, [], PRODUCED_MS, False), [Place(2, 0)])])
    assert [m.value() for m in desk.back(1)] == [TRUTH]


@pytest.mark.kafka
def test_a_letter_is_shown_with_the_place_where_it_goes_wrong(desk: Desk) -> None:
    cut = desk.refuse(5, TRUTH[:-4], b"\xff\x00", (("traceparent", b"00-1"),), "truncated")
    text = "\n".join(show_lines(desk.settings, cut, False))
    for expected in (
        f"{desk.settings.topic('dead-letter')}:{cut}  refused 20",
        "by the observer, not replayed",
        f"record   {desk.truths}[1]@5, produced {when(PRODUCED_MS)}",
        "reason   truncated",
        'key      {"bytes": 2, "hex": "ff00"}',
        "traceparent = ",
        f"value    {len(TRUTH) - 4} bytes",
        "c3 01 ",
        "read as  driftloop.v1.GroundTruth",
        "event_time = 1700000000.0",
        "label        <-- at byte 24: ",
    ):
        assert expected in text, expected
    found = json.loads(next(iter(show_lines(desk.settings, f"{desk.settings.topic('dead-letter')}:{cut}", True))))
    assert bytes.fromhex(found["value"]) == TRUTH[:-4]
    assert (found["wrong_field"], found["wrong_at_byte"], found["fields"]["model"]) == ("label", 24, "loans")
    readable = desk.refuse(6, headers=(("driftloop.replays", b"2"),))
    text = "\n".join(show_lines(desk.settings, readable, False))
    assert "it has come back dead after replay 2" in text
    desk.replay()
    desk.settle(replayed=2)
    marker = desk.settings.topic("dead-letter")
    assert "replayed" in "\n".join(show_lines(desk.settings, readable, False)).split("\n")[0]
    with pytest.raises(ConfigError, match="a note on what was replayed"):
        list(show_lines(desk.settings, "2:2", False))
    with pytest.raises(ConfigError, match=f"nothing is at {marker}:0:7"):
        list(show_lines(desk.settings, "0:7", False))


@pytest.mark.kafka
def test_the_table_says_what_there_is_and_a_note_is_readable_too(desk: Desk) -> None:
    assert list(list_lines(desk.settings, "", "", "", 10, False)) == ["no dead letters"]
    for i in range(3):
        desk.refuse(i)
    desk.produce(desk.settings.topic("dead-letter"), b"?", None, 0)
    desk.replay(Wish(ids=("2:1",)))
    desk.settle(replayed=1)
    lines = list(list_lines(desk.settings, "", "", "", 2, False))
    assert " ".join(lines[0].split()) == " ".join(HEAD)
    assert lines[1].split()[:6] == ["unknown-model", desk.truths, "observer", "3", "1", "0"]
    assert lines[2].split()[:1] == ["no-dead-letter"]
    assert lines[4:] and lines[4] == "the latest 2 (`driftloop dlq show ID`):"
    assert len(list(cat(desk.settings, "dead-letter"))) == 5
