"""A question that the cluster never answers is a cluster that is away, whoever notices first."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
from confluent_kafka import KafkaError, KafkaException
from driftloop.console.connection import answer_of


def test_an_answer_that_does_not_come_in_time_is_an_error_of_kafkas() -> None:
    never, now = Future[int](), Future[int]()
    now.set_result(3)
    assert answer_of(now, 1.0) == 3
    with pytest.raises(KafkaException) as error:
        answer_of(never, 0.01)
    cause = error.value.args[0]
    assert (cause.code(), cause.retriable()) == (KafkaError._TIMED_OUT, True)
