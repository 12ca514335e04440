"""The retrainer as a process: windows and commands in, decisions out, training beside the poll loop.

    poll -> decide -> one transaction (decisions, manifests, deployments, consumer offsets) -> start what follows

Its state is rebuilt from the decisions topic at every start, so a crash between any two steps is a start: a run
without an end is run again, a published model is deployed. One transactional id for the deployment: a second
retrainer fences the first, which then leaves with exit code FENCED.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from driftloop.artefacts.keys import ensure_signing_key
from driftloop.retrainer import reading
from driftloop.retrainer.backlog import Backlog, Place
from driftloop.retrainer.jobs import Jobs, run_folder
from driftloop.retrainer.policy import COMMANDS, Deploy, Event, Record, Train, check_time, concerns, decide, pending
from driftloop.retrainer.publish import (
    ENDS_HEADER,
    decision_output,
    deployment_of,
    deployment_output,
    manifest_of,
    manifest_output,
)
from driftloop.retrainer.runs import Plan, RunEnded, ends_from_bytes, ends_to_bytes
from driftloop.retrainer.state import PUBLISHED, RUNNING, ModelState, UnknownTransition, fold
from driftloop.schemas.codec import decode
from driftloop.schemas.deadletter import dead_letter
from driftloop.schemas.errors import BadRecord, Unavailable
from driftloop.schemas.events import CommandGiven, DecisionRecorded, OffsetRange, WindowMeasured
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Output
from driftloop.streams.transport.catalogue import KafkaCatalogue
from driftloop.streams.transport.exits import Exit

log = logging.getLogger("driftloop.retrainer")
GROUP = "retrainer"
READS = ("windows", "commands")
WRITES = ("decisions", "models", "deployments", "dead-letter")
POLL_SECONDS, POLL_SECONDS_TRAINING = 0.1, 0.02
"""A record wakes the poll at once; the limit is how late the end of a training is seen, or SIGTERM."""
TRANSACTION_SECONDS_MOST = 10.0
OFFSETS_EVERY_SECONDS = 5.0
"""How often offsets are told when there was nothing to decide; each costs a transaction."""
RETRY_SECONDS = 1.0


def main(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; an exit code of streams/transport/exits.py."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return serve(settings, stop)


def serve(settings: Settings, stop: threading.Event) -> int:
    """Sessions, one after another, until told to stop or fenced. Trainings go on from one session to the next."""
    jobs = Jobs(settings)
    try:
        while not stop.is_set():
            try:
                with closing(Session(settings, jobs)) as session:
                    session.run(stop)
            except Unavailable as error:
                log.warning("starting over: %s", error)
                stop.wait(RETRY_SECONDS)
            except KafkaException as error:
                told: KafkaError = error.args[0]
                if told.code() == KafkaError._FENCED:
                    log.error("another retrainer of %s has taken over", settings.prefix)
                    return Exit.FENCED
                if told.fatal():
                    log.error("the cluster refuses what the retrainer does: %s", told.str())
                    return Exit.REFUSED
                log.warning("starting over: %s; is the cluster at %s up?", told.str(), settings.bootstrap_servers)
                stop.wait(RETRY_SECONDS)
    finally:
        jobs.stop()
    return Exit.STOPPED


class Session:
    """From reading the state to the first trouble. Opening it fences every predecessor."""

    def __init__(self, settings: Settings, jobs: Jobs) -> None:
        self.settings = settings
        self.jobs = jobs
        self.key = ensure_signing_key(settings)
        self.producer = make_producer(settings)
        self.producer.init_transactions(TRANSACTION_SECONDS_MOST)
        self.catalogue = KafkaCatalogue(settings)
        self.backlog = Backlog()
        self.states: dict[str, ModelState] = {}
        self.ends: dict[str, tuple[OffsetRange, ...]] = {}
        self.outbox: list[Output] = []
        self.actions: list[Train | Deploy] = []
        self.consumer = make_consumer(settings)
        self.offsets_told_at = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        reading.check_topics(self.settings, (*READS, *WRITES))
        self.catalogue.refresh()
        self.restore()
        self.settle()
        self.consumer.subscribe(
            [self.settings.topic(short) for short in READS], on_assign=lambda *_: self.backlog.clear()
        )
        while not stop.is_set():
            for message in poll(self.consumer, POLL_SECONDS_TRAINING if len(self.jobs) else POLL_SECONDS):
                self.take(message)
            for ended in self.jobs.finished():
                self.finish(ended)
            self.settle()
        self.transact(self.backlog.untold())

    def close(self) -> None:
        self.consumer.close()
        self.catalogue.close()

    def restore(self) -> None:
        """Every model's state, and what is still to be done, from the decisions topic."""
        for message in reading.read_topic(self.settings, "decisions"):
            try:
                decision = decode(message.value())
                if not isinstance(decision, DecisionRecorded):
                    raise BadRecord("unknown-schema", f"a {type(decision).__name__} does not belong here")
                self.states[decision.model] = fold(self.state_of(decision.model), decision)
            except (BadRecord, UnknownTransition) as error:  # somebody else's: refusing it would be for ever
                place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
                log.error("%s is passed over, no retrainer has written it: %s", place, error)
                continue
            if ends := dict(message.headers() or ()).get(ENDS_HEADER):
                self.ends[decision.run] = ends_from_bytes(ends)
        for state in self.states.values():
            self.actions += [c for c in pending(state) if not isinstance(c, Record)]

    def state_of(self, model: str) -> ModelState:
        return self.states.get(model, ModelState())

    def take(self, message: Message) -> None:
        """One record of windows or commands."""
        place = Place(message.topic(), message.partition())
        self.backlog.reached(place, message.offset())
        try:
            event = decode(message.value())
            if isinstance(event, WindowMeasured | CommandGiven):
                check_time(event, message.timestamp()[1])
        except BadRecord as error:
            self.outbox.append(self.dead(message, error))
            return
        if isinstance(event, WindowMeasured) and concerns(event):
            if self.busy(event.model):
                self.backlog.hold(place, message.offset(), event)
            else:
                self.evaluate(event)
        elif isinstance(event, CommandGiven) and event.command in COMMANDS:
            self.obey(event)

    def busy(self, model: str) -> bool:
        return self.state_of(model).name in (RUNNING, PUBLISHED)

    def evaluate(self, window: WindowMeasured) -> None:
        specification = self.specification(window.model, window.spec)
        if specification is None:
            log.error("window of %s names specification %s, which nobody has published", window.model, window.spec)
            return
        self.decide(window, specification)

    def obey(self, command: CommandGiven) -> None:
        self.catalogue.refresh()
        specification = self.catalogue.catalogue.specification(command.model)
        if specification is None:
            log.error("%s of %s by %s: no monitor of that model", command.command, command.model, command.author)
            return
        self.decide(command, specification)

    def specification(self, model: str, spec: str) -> MonitorSpecification | None:
        """The specification of that hash, which a window or a run was made under."""
        found = self.catalogue.catalogue.specification(model, spec)
        if found is None:
            self.catalogue.refresh()
            found = self.catalogue.catalogue.specification(model, spec)
        return found

    def decide(self, event: Event, specification: MonitorSpecification) -> None:
        """Change the state, note what is to be written and, behind that, to be done."""
        self.states[event.model], commands = decide(self.state_of(event.model), event, specification)
        for command in commands:
            if not isinstance(command, Record):
                self.actions.append(command)
                continue
            ends = b""
            if command.decision.kind == "started":
                self.ends[command.decision.run] = reading.log_ends(self.settings)
                ends = ends_to_bytes(self.ends[command.decision.run])
            self.outbox.append(decision_output(self.settings, command.decision, ends))
            say(command.decision)

    def finish(self, ended: RunEnded) -> None:
        started = self.state_of(ended.model).run
        assert started is not None, f"run {ended.run} has ended, but none is going on"
        if ended.artefact and ended.accepted:
            self.outbox.append(manifest_output(self.settings, manifest_of(started, ended, self.key)))
        self.decide(ended, self.specification_of(started))

    def specification_of(self, started: DecisionRecorded) -> MonitorSpecification:
        found = self.specification(started.model, started.details["spec"])
        if found is None:
            raise Unavailable(f"specification {started.details['spec']} of run {started.run} is not on the topic")
        return found

    def settle(self) -> None:
        """Write what was decided, then do what follows, until nothing does."""
        while True:
            self.flush()
            if self.actions:
                self.act(self.actions.pop(0))
            elif not self.release():
                return

    def flush(self) -> None:
        idle = time.monotonic() - self.offsets_told_at > OFFSETS_EVERY_SECONDS
        if self.outbox or (idle and self.backlog.untold()):
            self.transact(self.backlog.untold())

    def act(self, action: Train | Deploy) -> None:
        started = action.started
        specification = self.specification_of(started)
        if isinstance(action, Deploy):
            deployment = deployment_of(started)
            self.outbox.append(deployment_output(self.settings, deployment))
            self.decide(deployment, specification)
        elif started.run not in self.jobs:
            folder = run_folder(self.settings, started.run)
            ends = self.ends.get(started.run) or reading.log_ends(self.settings)
            plan = Plan(started, specification.to_json(), ends, str(folder))
            self.jobs.start(plan, specification.retrain)

    def release(self) -> bool:
        """Evaluate one window that has waited for a run to end; False when none is left."""
        for model, state in self.states.items():
            if state.name not in (RUNNING, PUBLISHED) and self.backlog.waits(model):
                self.evaluate(self.backlog.next_of(model))
                return True
        return False

    def transact(self, positions: dict[Place, int]) -> None:
        """Everything in the outbox and these positions, or nothing.

        Whatever goes wrong ends the session: the next one's init_transactions ends the open transaction, one way or
        the other, and then reads which way it was.
        """
        if not self.outbox and not positions:
            return
        self.producer.begin_transaction()
        for output in self.outbox:
            produce(self.producer, output)
        if positions:
            offsets = [TopicPartition(place.topic, place.partition, at) for place, at in positions.items()]
            group = self.consumer.consumer_group_metadata()
            self.producer.send_offsets_to_transaction(offsets, group, TRANSACTION_SECONDS_MOST)
        self.producer.commit_transaction(TRANSACTION_SECONDS_MOST)
        self.backlog.told(positions)
        self.offsets_told_at = time.monotonic()
        self.outbox.clear()

    def dead(self, message: Message, error: BadRecord) -> Output:
        key, value, headers = dead_letter(
            message.topic(),
            message.partition(),
            message.offset(),
            message.key(),
            message.value(),
            message.headers() or (),
            message.timestamp()[1],
            error.reason,
            error.message,
            GROUP,
        )
        return Output(self.settings.topic("dead-letter"), key, value, headers=headers)


def say(decision: DecisionRecorded) -> None:
    level = logging.WARNING if decision.kind == "failed" else logging.INFO
    log.log(level, "%s %s: %s", decision.model, decision.kind, decision.reason)


def poll(consumer: Consumer, seconds: float) -> Sequence[Message]:
    """The records that are there, waiting for the first of them only."""
    first = consumer.poll(seconds)
    if first is None:
        return ()
    found = []
    for message in [first, *consumer.consume(500, 0)]:
        if error := message.error():
            if not error.retriable():
                raise KafkaException(error)
            log.warning("could not read: %s", error.str())
        else:
            found.append(message)
    return found


def produce(producer: Producer, output: Output) -> None:
    more: dict[str, Any] = {} if output.partition is None else {"partition": output.partition}
    producer.produce(output.topic, output.value, output.key, headers=list(output.headers), **more)


def make_producer(settings: Settings) -> Producer:
    return Producer(
        settings.confluent(
            transactional_id=settings.group(GROUP),
            client_id=settings.group(GROUP),
            linger_ms=0,
            partitioner="murmur2_random",
            message_max_bytes=2 * 1024 * 1024,
        )
        | reading.QUIET
    )


def make_consumer(settings: Settings) -> Consumer:
    return Consumer(
        settings.confluent(
            group_id=settings.group(GROUP),
            # A fixed member: a restart has its partitions back at once instead of after the session of the dead one.
            group_instance_id=settings.group(GROUP),
            client_id=settings.group(GROUP),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(settings.session_seconds * 1000),
            heartbeat_interval_ms=int(settings.session_seconds * 300),
            fetch_queue_backoff_ms=1,
        )
        | reading.QUIET
    )
