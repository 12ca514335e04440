"""What people say of incidents: what is refused with the way out, what the list shows, and a broker in between."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from driftloop.console.incidents import Watched, judge, lines, meant, watched
from driftloop.console.incidents_command import incident as incident_command
from driftloop.console.monitor import apply_monitor
from driftloop.console.publishing import Publication, publish
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import encode
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import CommandGiven, IncidentChanged, WindowMeasured
from driftloop.schemas.settings import Settings
from driftloop.schemas.verdicts import Verdict, command_of, last_words, verdict_of

NOW = 1_700_006_400.0  # 2023-11-15
DAY = 86_400.0
WEEK = 7 * DAY
LOANS = str(Path(__file__).parent / "loans.toml")


def incident(identity: str, change: str = "resolved", opened_at: float = NOW) -> IncidentChanged:
    told = (identity, "performance", change, opened_at, opened_at + DAY, f"log loss has risen ({identity})")
    return IncidentChanged("loans", "v1", "0" * 16, *told)


FIRST, SECOND, THIRD = (
    incident("aa11" * 8),
    incident("aa22" * 8, opened_at=NOW + DAY),
    incident("bb33" * 8, "updated"),
)
HOLIDAY = Verdict(FIRST.incident, False, "ada", "a holiday")


def test_a_verdict_is_a_command_and_back() -> None:
    command = command_of("loans", HOLIDAY, NOW)
    assert command == CommandGiven(
        "loans", "incident", "ada", "a holiday", NOW, {"incident": FIRST.incident, "verdict": "false"}
    )
    assert verdict_of(command) == HOLIDAY


def test_the_last_word_on_an_incident_counts() -> None:
    real = HOLIDAY._replace(real=True, author="bob", reason="the bureau was down")
    other = HOLIDAY._replace(incident=SECOND.incident)
    assert last_words([HOLIDAY, other, real]) == {FIRST.incident: real, SECOND.incident: other}


def test_nobody_else_who_hears_commands_minds_it() -> None:
    catalogue = Catalogue()
    catalogue.absorb("commands", 0, b"loans", encode(command_of("loans", HOLIDAY, NOW)))
    assert catalogue.orders("loans") == [] and catalogue.faults == []


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"incident": ""}, "on incident '' of loans"),
        ({"author": " "}, "without author or reason"),
        ({"reason": ""}, "without author or reason"),
    ],
)
def test_a_record_that_is_no_verdict_is_a_bad_record(wrong: dict[str, str], why: str) -> None:
    with pytest.raises(BadRecord, match=why):
        verdict_of(command_of("loans", HOLIDAY._replace(**wrong), NOW))


def test_a_verdict_that_says_neither_is_a_bad_record() -> None:
    command = CommandGiven("loans", "incident", "ada", "why", NOW, {"incident": "aa", "verdict": "perhaps"})
    with pytest.raises(BadRecord, match="a verdict 'perhaps' on incident 'aa' of loans"):
        verdict_of(command)


def test_an_incident_is_meant_by_how_its_id_begins() -> None:
    three = (FIRST, SECOND, THIRD)
    assert meant(three, "loans", "aa1") is FIRST and meant(three, "loans", THIRD.incident) is THIRD
    with pytest.raises(
        ConfigError, match="more than one incident of loans begins with 'aa'; there is aa11aa11aa11, aa22"
    ):
        meant(three, "loans", "aa")
    with pytest.raises(
        ConfigError, match=r"no incident of loans begins with 'cc'; there is aa11.*bb33bb33bb33"
    ) as error:
        meant(three, "loans", "cc")
    assert error.value.hint == "driftloop incidents loans"
    with pytest.raises(ConfigError, match="no incident of loans begins with ''"):
        meant(three, "loans", "")
    with pytest.raises(ConfigError, match="there is none"):
        meant((), "loans", "aa")


def test_the_list_counts_what_people_call_false_beside_the_budget() -> None:
    said = {
        FIRST.incident: HOLIDAY,
        SECOND.incident: HOLIDAY._replace(incident=SECOND.incident, real=True, reason="the bureau was down"),
    }
    found = list(lines("loans", Watched((FIRST, SECOND, THIRD), said, WEEK, NOW, NOW + 2 * WEEK)))
    assert found == [
        "aa11aa11aa11  2023-11-15T00:00:00.000Z to 2023-11-16T00:00:00.000Z  performance",
        f"  log loss has risen ({FIRST.incident})",
        "  a false alarm, says ada: a holiday",
        "aa22aa22aa22  2023-11-16T00:00:00.000Z to 2023-11-17T00:00:00.000Z  performance",
        f"  log loss has risen ({SECOND.incident})",
        "  real, says ada: the bureau was down",
        "bb33bb33bb33  2023-11-15T00:00:00.000Z still open  performance",
        f"  log loss has risen ({THIRD.incident})",
        "  nobody has said whether it was real",
        "1 false of 3 opened; 1 real, 1 nobody has judged",
        "14.0 days were watched, for which the budget allows 2.0 false ones",
    ]


def test_more_than_the_budget_allows_is_said_with_a_way_out() -> None:
    said = {one.incident: HOLIDAY._replace(incident=one.incident) for one in (FIRST, SECOND)}
    *_, last = lines("loans", Watched((FIRST, SECOND), said, WEEK, NOW, NOW + WEEK))
    assert last == "that is more than it allows: `driftloop replay loans --spec new.toml` tries another monitor"


def test_without_a_window_nothing_is_said_of_the_budget() -> None:
    assert list(lines("loans", Watched((), {}, WEEK))) == ["0 false of 0 opened; 0 real, 0 nobody has judged"]


def window(start: float) -> WindowMeasured:
    what = ("features", 0, start + 2 * DAY, "OK", "", 100, 0, None, None)
    return WindowMeasured("loans", "v1", "champion", "0" * 16, "", start, DAY, *what)


@pytest.mark.kafka
def test_a_verdict_lies_on_the_commands_topic_and_the_list_shows_it(settings: Settings) -> None:
    apply_monitor(settings, Path(LOANS))
    told = [incident(FIRST.incident, "opened"), FIRST, incident("c" * 32, "opened")]
    publish(settings, [Publication("drift", "loans", event) for event in told])
    publish(settings, [Publication("drift", "clicks", incident("d" * 32))])
    publish(settings, [Publication("windows", "loans", window(NOW + n * DAY)) for n in range(6)])
    with pytest.raises(ConfigError, match="needs --author and --reason"):
        judge(settings, "loans", "aa11", False, "ada", "")
    with pytest.raises(ConfigError, match="no incident of loans begins with 'dd'"):
        judge(settings, "loans", "dd", False, "ada", "a holiday")
    judge(settings, "loans", "aa11", True, "bob", "it looked like one")
    said = driftloop(settings, "incident", "loans", "aa11", "--false", "--author", "ada", "--reason", "a holiday")
    assert said == "aa11aa11aa11 is a false alarm, says ada\n`driftloop incidents loans` shows it\n"
    found = watched(settings, "loans")
    assert [one.change for one in found.incidents] == ["resolved", "opened"]
    assert found.verdicts == {FIRST.incident: HOLIDAY}
    assert driftloop(settings, "incidents", "loans").splitlines()[-2:] == [
        "1 false of 2 opened; 0 real, 1 nobody has judged",
        "7.0 days were watched, for which the budget allows 1.0 false ones",
    ]


def driftloop(settings: Settings, *line: str) -> str:
    program = [sys.executable, "-m", "driftloop.console", *line]
    return subprocess.run(
        program, env=settings.environment(os.environ), capture_output=True, text=True, check=True
    ).stdout


def test_a_verdict_is_real_or_false() -> None:
    with pytest.raises(ConfigError, match="was it --real or --false"):
        incident_command("loans", "aa11")
