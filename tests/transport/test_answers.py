"""A question that the cluster never answers is a cluster that is away, whoever notices first."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress

import pytest
from confluent_kafka import KafkaError, KafkaException
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.transport import preflight
from driftloop.streams.transport.answers import answer_of
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.preflight import Cluster

from ..patience import GUARD_SECONDS


def test_an_answer_that_does_not_come_in_time_is_an_error_of_kafkas() -> None:
    never, now = Future[int](), Future[int]()
    now.set_result(3)
    assert answer_of(now, 1.0) == 3
    with pytest.raises(KafkaException) as error:
        answer_of(never, 0.01)
    cause = error.value.args[0]
    assert (cause.code(), cause.retriable()) == (KafkaError._TIMED_OUT, True)


def silent_cluster() -> socket.socket:
    """A port that takes every connection and never says a word."""
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_take_all, args=(listening,), daemon=True).start()
    return listening


def _take_all(listening: socket.socket) -> None:
    taken = []
    with suppress(OSError):
        while True:
            taken.append(listening.accept()[0])


def place_of(listening: socket.socket) -> str:
    return f"127.0.0.1:{listening.getsockname()[1]}"


START = """
import sys
from driftloop.schemas.settings import Settings
from driftloop.streams.observer.service import SERVICE
from driftloop.streams.transport import preflight, run
preflight.ANSWER_SECONDS_MOST = 1.0  # librdkafka would say after ten seconds that it has not been answered
sys.exit(run.run(SERVICE, Settings(bootstrap_servers=sys.argv[1])))
"""


def test_a_worker_whose_cluster_does_not_answer_in_time_says_so_and_ends_as_unavailable() -> None:
    """It ended with a trace and as 1, of which a supervisor knows nothing."""
    with silent_cluster() as listening:
        where = place_of(listening)
        program = [sys.executable, "-c", START, where]
        ended = subprocess.run(program, check=False, capture_output=True, text=True, timeout=GUARD_SECONDS)
    assert ended.returncode == Exit.UNAVAILABLE, ended.stderr
    said = ended.stderr.strip()
    assert f"no answer from {where}: no answer within 1 s" in said and "is the broker running?" in said
    assert "Traceback" not in said


def test_a_question_of_a_worker_that_is_lost_says_that_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """At work it asks for the ids of its topics every few seconds, and waits for a cluster that is away; of anything
    else it dies, as of a fault of ours."""
    monkeypatch.setattr(preflight, "ANSWER_SECONDS_MOST", 0.01)
    with silent_cluster() as listening:
        cluster = Cluster(Settings(bootstrap_servers=place_of(listening)))
        with pytest.raises(Unavailable, match=r"no answer from 127\.0\.0\.1"):
            cluster.topic_ids(["a"])
        with pytest.raises(Unavailable, match=r"no answer from 127\.0\.0\.1"):
            cluster.cleanup_policies(["a"])
