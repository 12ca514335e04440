"""What a person may mean by `driftloop silence`, what is refused with the way out, and what the list shows."""

from __future__ import annotations

import pytest
from driftloop.console.replay.orders import counted
from driftloop.console.silence import Wish, command_of, listing
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import encode
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import CommandGiven, SilenceChanged
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.silences import order_of

NOW = 1_700_006_400.0  # 2023-11-15
DAY = 86_400.0
LOANS = MonitorSpecification("loans", "binary", ("no", "yes"), (Feature("income", "f_income", "numeric"),), 60.0)


def wish(**changes) -> Wish:
    return Wish("ada", "the bureau is migrated")._replace(**changes)


def test_a_silence_begins_now_on_the_models_clock_and_lasts_as_said() -> None:
    command = command_of(LOANS, wish(length="6h"), NOW)
    assert command == CommandGiven(
        "loans",
        "silence",
        "ada",
        "the bureau is migrated",
        NOW,
        {"from": "2023-11-15T00:00:00.000Z", "until": "2023-11-15T06:00:00.000Z"},
    )
    found = order_of(3, command).silence
    assert (found.begins_at, found.ends_at, found.maintenance) == (NOW, NOW + DAY / 4, False)


def test_a_maintenance_window_may_lie_ahead() -> None:
    command = command_of(LOANS, wish(from_time=NOW + DAY, until=NOW + 2 * DAY, maintenance=True), NOW)
    assert command.as_of == NOW, "it is known from now on"
    found = order_of(0, command).silence
    assert (found.begins_at, found.ends_at, found.maintenance) == (NOW + DAY, NOW + 2 * DAY, True)


@pytest.mark.parametrize(
    ("wrong", "why", "way_out"),
    [
        ({"author": ""}, "needs --author and --reason", "--author ada"),
        ({"reason": "  "}, "needs --author and --reason", "--author ada"),
        ({"length": ""}, "needs an end", "--for 6h"),
        ({"until": NOW + DAY}, "needs an end: --until or --for, one of them", "--for 6h"),
        ({"length": "a while"}, "'a while' is no length of time", "90m, 6h or 2d"),
        (
            {"length": "", "from_time": NOW + DAY, "until": NOW},
            "would end 2023-11-15T00:00:00.000Z, it begins 2023-11-16",
            "",
        ),
        (
            {"from_time": NOW - DAY},
            "it is 2023-11-15T00:00:00.000Z for the model, the silence ends 2023-11-14T06",
            "",
        ),
        ({"kind": "moods"}, "moods is no kind of alarm", "performance, data_quality, drift"),
        ({"feature": "wage"}, "loans has no feature wage", "one of income"),
        ({"maintenance": True, "kind": "drift"}, "is about all of a model", "--kind"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(wrong: dict, why: str, way_out: str) -> None:
    with pytest.raises(ConfigError, match=why) as error:
        command_of(LOANS, wish(**{"length": "6h"} | wrong), NOW)
    assert way_out in error.value.hint


def test_without_anything_on_the_topics_there_is_no_now() -> None:
    with pytest.raises(ConfigError, match="there is no now"):
        command_of(LOANS, wish(length="6h"), None)
    assert command_of(LOANS, wish(length="6h", from_time=NOW), None).as_of == NOW


def changed(command: CommandGiven, change: str, as_of: float) -> SilenceChanged:
    s = order_of(0, command).silence
    return SilenceChanged("loans", "", s.identity, change, as_of, s.author, s.reason, s.begins_at, s.ends_at)


def test_the_list_shows_what_stands_and_what_the_judge_made_of_it() -> None:
    first = command_of(LOANS, wish(length="6h", kind="drift", feature="income"), NOW)
    second = command_of(LOANS, wish(length="2d", maintenance=True), NOW)
    silences = [order_of(i, c).silence for i, c in enumerate((first, second))]
    taken = {silences[0].identity: changed(first, "counts", NOW + 60)}
    one, two = listing(silences, taken, NOW)
    assert one.startswith(f"{silences[0].identity}  2023-11-15T00:00:00.000Z to 2023-11-15T06:00:00.000Z  ")
    assert one.endswith(
        "silence of drift, income, by ada: the bureau is migrated (counts since 2023-11-15T00:01:00.000Z)"
    )
    assert two.endswith("maintenance, by ada: the bureau is migrated (the judge has not taken it yet)")
    assert list(listing(silences, taken, NOW + DAY)) == [two]
    over = {silences[1].identity: changed(second, "ended", NOW + 60)}
    assert list(listing(silences, over, NOW + DAY)) == []


def test_a_replay_counts_words_from_where_they_counted_live() -> None:
    silence = command_of(LOANS, wish(length="2d"), NOW)
    identity = order_of(0, silence).silence.identity
    end = CommandGiven("loans", "silence", "bob", "done", NOW + 60, {"end": identity})
    unheard = command_of(LOANS, wish(length="3d"), NOW + 90)
    retrain = CommandGiven("loans", "retrain", "bob", "now", NOW)
    senseless = CommandGiven("loans", "silence", "bob", "done", NOW, {"from": "now"})
    catalogue = Catalogue()
    for offset, command in enumerate((silence, retrain, end, unheard, senseless)):
        catalogue.absorb("commands", offset, b"loans", encode(command))
    assert [o.offset for o in catalogue.orders("loans")] == [0, 2, 3], "what means nothing is a fault, not an order"
    assert [fault[:2] for fault in catalogue.faults] == [("commands", 4)]
    told = [changed(silence, "counts", NOW + 600), changed(silence, "ended", NOW + 7200)]
    catalogue.retime("loans", counted(catalogue.orders("loans"), told))
    assert [o.as_of for o in catalogue.orders("loans")] == [NOW + 600, NOW + 7200, NOW + 90]
