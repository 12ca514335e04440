"""What is settled before the group is joined: versions, security, repeated log lines, what the group was told."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.fetching.consumer_thread import COMMIT_MARK, Committed
from driftloop.streams.transport.partition import Partition
from driftloop.streams.transport.preflight import check_compacted
from driftloop.streams.transport.security import broker_urls, faust_credentials
from driftloop.streams.transport.state.following import compare
from driftloop.streams.transport.state.moving import Wanted
from driftloop.streams.transport.versions import PINNED, check_versions
from driftloop.streams.transport.watching.repeats import OncePerWhile
from faust.types import TP

PLAIN = Settings(bootstrap_servers="a:1,b:2")


def test_the_installed_versions_are_the_pinned_ones() -> None:
    check_versions()


def test_another_version_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"aiokafka 0\.15\.0 is installed.*exactly 0\.14\.0") as error:
        check_versions({**PINNED, "aiokafka": "0.15.0"}.__getitem__)
    assert "pip install 'aiokafka==0.14.0'" in error.value.hint


def test_every_bootstrap_server_is_passed_on() -> None:
    assert broker_urls(PLAIN) == ["kafka://a:1", "kafka://b:2"]
    assert faust_credentials(PLAIN) is None


@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT", "SSL"])
def test_security_reaches_faust_as_it_reaches_confluent(protocol: str) -> None:
    settings = replace(PLAIN, security_protocol=protocol, sasl_username="u", sasl_password="p")
    credentials = faust_credentials(settings)
    assert credentials.protocol.value == protocol == settings.confluent()["security.protocol"]
    if protocol.startswith("SASL"):
        assert credentials.mechanism.value == settings.confluent()["sasl.mechanism"] == "SCRAM-SHA-512"
        assert (credentials.username, credentials.password) == ("u", "p")


def test_an_unreadable_authority_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="DRIFTLOOP_SSL_CA"):
        faust_credentials(replace(PLAIN, security_protocol="SSL", ssl_ca=str(tmp_path / "none.pem")))


def test_only_a_compacted_topic_holds_a_state() -> None:
    check_compacted({"state": "compact", "monitors": None})  # None: this user may not know
    for policy in ("delete", "compact,delete", "delete,compact"):
        with pytest.raises(ConfigError, match=f"state: cleanup.policy is {policy}") as error:
            check_compacted({"monitors": "compact", "state": policy})
        assert "topics apply --fix" in error.value.hint


def line(name: str, text: str) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "", 0, text, (), None)


def test_a_sentence_of_others_is_said_once_in_a_while() -> None:
    now = 0.0
    once = OncePerWhile(lambda: now)
    said = []
    for now in (0.0, 0.1, 0.2, 9.9, 10.1, 10.2):  # noqa: B007  (the clock reads it)
        record = line("aiokafka", "broker away")
        if once.filter(record):
            said.append(record.msg)
    assert said == ["broker away", "broker away (and 3 times more since)"]


def test_our_own_sentences_are_always_said() -> None:
    once = OncePerWhile(lambda: 0.0)
    assert all(once.filter(line("driftloop.transport", "ready")) for _ in range(3))


def told(committed: Committed, absorbed: int, caplog: pytest.LogCaptureFixture) -> tuple[int, str]:
    part = Partition(0, ["a"], None)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, "driftloop.transport"):
        compare(part, {"a": absorbed}, {TP("a", 0): committed}, can_obey=False)
    return part.told["a"], caplog.text


def test_a_commit_of_ours_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    assert told(Committed(42, COMMIT_MARK + "me"), 41, caplog) == (41, "")
    assert told(Committed(-1, ""), -1, caplog) == (-2, "")


def test_an_operators_reset_is_said_aloud(caplog: pytest.LogCaptureFixture) -> None:
    _, text = told(Committed(7, ""), 41, caplog)
    assert "a[0]: an operator has set the group's offset to 7; the state stands at 42" in text


def test_an_operators_reset_is_what_is_asked_for() -> None:
    part = Partition(0, ["a", "b"], None)  # type: ignore[arg-type]
    committed = {TP("a", 0): Committed(7, ""), TP("b", 0): Committed(12, COMMIT_MARK)}
    assert compare(part, {"a": 41, "b": 11}, committed, can_obey=True) == Wanted({"a": 7})
    assert part.told["a"] < -1  # so that our own commit follows at once
    assert compare(part, {"a": 6, "b": 11}, committed, can_obey=True) is None  # it stands there already


def test_a_commit_ahead_of_the_state_is_said_aloud(caplog: pytest.LogCaptureFixture) -> None:
    _, text = told(Committed(50, COMMIT_MARK), 41, caplog)
    assert "committed offset 50 is ahead of the state's 42" in text


def test_a_worker_loads_nothing_heavy() -> None:
    """Its resident memory is mostly its imports."""
    program = "import sys, driftloop.streams.transport.run; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"river", "scipy", "pandas", "sklearn", "matplotlib"} & set(loaded)
