"""What the cluster answers a question that was asked without waiting; that it does not is an error like any other."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

AnswerT = TypeVar("AnswerT")


def answer_of(future: Future[AnswerT], seconds: float) -> AnswerT:
    """What the cluster answers. KafkaException, retriable, where it does not in time: the future of a question that a
    broker took with it into its end would raise a TimeoutError, a minute before librdkafka gives the question up."""
    try:
        return future.result(seconds)
    except TimeoutError as error:
        told = f"no answer within {seconds:.0f} s"
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, told, retriable=True)) from error
