"""Models that share a pool tell, byte for byte, what each of them tells alone."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.events import MonitorApplied, Pane
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification

from .world import CLICKS, HOUR, LOANS, Bad, Marked, Transport, World, context, make_world

WIDER = Feature("debt", "f_debt", "numeric", edges=(-1.0, -0.5, 0.0, 0.5, 1.0))
LOANS_LIKE = [replace(LOANS, model=f"loans{i}") for i in range(3)] + [
    replace(LOANS, model=f"other{i}", features=(LOANS.features[0], WIDER, LOANS.features[2])) for i in range(2)
]
CLICKS_LIKE = [replace(CLICKS, model=f"clicks{i}") for i in range(2)]
MODELS = [*LOANS_LIKE, *CLICKS_LIKE]


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftloop.streams.observer.join.rows.SEGMENT_ROWS", 16)
    monkeypatch.setattr("driftloop.streams.observer.recovery.state.SEGMENT_ROWS", 16)
    monkeypatch.setattr("driftloop.streams.observer.fold.ROWS_GATHERED_MOST", 20)


def world_of_many(seed: int) -> World:
    """Each id is used by two models of a kind: their rows must not meet."""
    rng = random.Random(seed)

    def given(item: Any) -> Any:
        if not hasattr(item, "spec"):
            return item
        kind = LOANS_LIKE if item.spec is LOANS else CLICKS_LIKE
        first = len(item.name) + ord(item.name[-1])
        return replace(item, spec=kind[(first + rng.randrange(2)) % len(kind)])

    world = make_world(seed, size=120)
    return World([given(p) for p in world.predictions], [given(t) for t in world.truths])


def alone(world: World, model: str) -> World:
    """Of the other models only the time has passed."""
    logs = [
        [i if isinstance(i, Marked | Bad) or i.spec.model == model else Marked(i.time) for i in log]
        for log in world.logs
    ]
    return World(*logs)


def told(transport: Transport, model: str) -> list[bytes]:
    panes = [(decode(o.value), o.value) for o in transport.outputs if o.key == model.encode()]
    return sorted(value for pane, value in panes if isinstance(pane, Pane))


@pytest.mark.parametrize("seed", range(2))
def test_together_every_model_tells_what_it_tells_alone(seed: int) -> None:
    world = world_of_many(seed)
    together = Transport(world, context(None, *MODELS))
    together.run(random.Random(seed), crashes=0.2)
    assert len(together.fold.pools.pools) == 2, "one for each clock"
    for spec in MODELS:
        single = Transport(alone(world, spec.model), context(None, *MODELS))
        single.run(random.Random(seed + 50), batch=100)
        assert told(together, spec.model) == told(single, spec.model)
        assert len(told(single, spec.model)) > 10


def longer(spec: MonitorSpecification) -> MonitorSpecification:
    return replace(spec, horizon_seconds=spec.horizon_seconds + 7 * HOUR)


@pytest.mark.parametrize("seed", range(2))
def test_a_model_whose_horizon_changes_takes_its_rows_to_another_pool(seed: int) -> None:
    """Two go one after the other: the second finds the pool that was made for the first."""
    world = world_of_many(seed + 10)
    changed = [longer(spec) for spec in LOANS_LIKE[:2]]

    def run(world: World) -> Transport:
        transport = Transport(world, context(None, *MODELS))
        rng = random.Random(seed)
        for after, spec in zip((40, 70), changed, strict=True):
            while transport.done[0] < after:
                transport.deliver(0, rng.randrange(1, 10))
                transport.deliver(1, rng.randrange(1, 10))
                if rng.random() < 0.4:
                    transport.commit()
            transport.commit()
            applied = MonitorApplied(spec.model, spec.spec, spec.to_json())
            transport.context.catalogue.absorb("monitors", 90 + after, spec.model.encode(), encode(applied))
        transport.run(rng)
        return transport

    together = run(world)
    pools = [{m.model for m in pool.models} for pool in together.fold.pools]
    assert {spec.model for spec in changed} in pools
    for spec in MODELS:
        assert told(together, spec.model) == told(run(alone(world, spec.model)), spec.model)


def test_the_state_of_a_pool_goes_on_with_those_who_have_left() -> None:
    """The rows that a model took along are found again after a crash, and nothing of them is left behind."""
    world = world_of_many(3)
    spec = longer(LOANS_LIKE[0])
    plain, crashed = (Transport(world, context(None, *MODELS)) for _ in range(2))
    for transport in (plain, crashed):
        for _ in range(6):
            transport.deliver(0, 10)
            transport.deliver(1, 5)
        transport.commit()
        applied = encode(MonitorApplied(spec.model, spec.spec, spec.to_json()))
        transport.context.catalogue.absorb("monitors", 90, spec.model.encode(), applied)
        transport.deliver(0, 40)
        transport.deliver(1, 40)
        transport.commit()
    crashed.crash()
    stores = [[sorted(rows.columns["ids"][rows.slots()].tolist()) for pool in t.fold.pools for rows in pool.stores()]
              for t in (plain, crashed)]  # fmt: skip
    assert stores[0] == stores[1]
    members = [json.loads(value)["members"] for key, value in crashed.state.items() if json.loads(key)[0] == "pool"]
    assert sum(m.count(spec.model) for m in members) == 1
    assert sum(m.count(None) for m in members) == 1
    for transport in (plain, crashed):
        transport.run(random.Random(1))
    for one in MODELS:
        assert told(plain, one.model) == told(crashed, one.model)
