"""One seed, one fate: how many workers, what befalls them and when, what goes wrong at the broker."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

EVENTS = ("crash", "freeze", "nap", "stop", "join", "rebalance", "empty", "away")
"""A nap is a freeze that the group does not wait for."""


@dataclass
class Plan:
    """Shares are per occasion. ``lost``: batches that vanish in front of the agent; ``interrupted``: blocking work
    that can be stopped between its steps."""

    seed: int
    started: float
    partitions: int
    workers: int
    static: bool
    session_seconds: float
    seconds: float
    bursts: int
    burst_most: int
    batch_most: int
    transactional: float
    interrupted: float
    crash_a_step: float
    freeze_a_step: float
    abortable: float
    retriable: float
    unsure: float
    lost: float
    observer: bool = False
    """The observer's own fold, over a world of the core; otherwise the ledger."""
    resets_anywhere: bool = False
    """An operator sets offsets back to anywhere, each source on its own; otherwise both to the beginning."""
    events: list[tuple[float, str]] = field(default_factory=list)

    @classmethod
    def of(cls, seed: int, started: float) -> Plan:
        rng = random.Random(seed)
        often = rng.choice((0.0, 0.003, 0.01, 0.03))
        plan = cls(
            seed=seed,
            started=started,
            partitions=rng.choice((1, 2, 3)),
            workers=rng.choice((1, 2, 2, 3)),
            static=rng.random() < 0.25,
            session_seconds=rng.choice((3.0, 6.0)),
            seconds=rng.choice((10.0, 25.0)),
            bursts=rng.choice((6, 20)),
            burst_most=rng.choice((2, 6)),
            batch_most=rng.choice((1, 3, 50)),
            transactional=rng.choice((0.0, 0.3, 1.0)),
            interrupted=rng.choice((0.3, 1.0)),
            crash_a_step=often * rng.choice((0.0, 1.0)),
            freeze_a_step=often * rng.choice((0.0, 1.0)),
            abortable=rng.choice((0.0, 0.0, 0.05, 0.2)),
            retriable=rng.choice((0.0, 0.1)),
            unsure=rng.choice((0.0, 0.1)),
            lost=rng.choice((0.0, 0.0, 0.05)),
        )
        kinds = rng.sample(EVENTS, rng.randint(1, len(EVENTS)))
        moments = sorted(rng.uniform(0, plan.seconds) for _ in range(rng.choice((2, 5, 9))))
        plan.events = [(at, rng.choice(kinds)) for at in moments]
        plan.observer = rng.random() < 0.2
        return plan

    def with_reset(self, anywhere: bool) -> Plan:
        """The observer, and in the middle of it an operator's reset of all offsets."""
        self.observer, self.resets_anywhere = True, anywhere
        self.events = sorted([*self.events, (0.6 * self.seconds, "reset")])
        return self

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.lost = 0.0
