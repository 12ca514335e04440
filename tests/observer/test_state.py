"""What a checkpoint writes: only what has changed, small, and enough to go on from anywhere."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import MonitorApplied, Pane
from driftloop.streams.observer.fold import ObserverFold
from driftloop.streams.observer.recovery.state import _pack_status, _unpack_status

from .pane_oracle import PaneOracle
from .world import LOANS, PARTITION, Observed, Transport, World, context, make_world


def write_all(transport: Transport) -> dict[bytes, bytes | None]:
    """One checkpoint; what it wrote."""
    written: dict[bytes, bytes | None] = {}
    before = dict(transport.state)
    transport.commit()
    for key in before.keys() | transport.state.keys():
        if before.get(key) != transport.state.get(key):
            written[key] = transport.state.get(key)
    return written


def test_a_checkpoint_writes_only_what_has_changed() -> None:
    transport = Transport(make_world(5, size=400))
    transport.deliver(0, 300)
    first = write_all(transport)
    transport.deliver(0, 3)
    second = write_all(transport)
    assert len(second) < len(first) / 3
    rows = [len(v or b"") for k, v in second.items() if json.loads(k)[0] == "predictions"]
    assert sum(rows) <= 3 * 46, "three rows, 45 bytes each"
    assert write_all(transport) == {}


def test_after_everything_is_over_only_the_totals_remain() -> None:
    transport = Transport(make_world(6))
    transport.run(random.Random(6))
    left = {json.loads(key)[0] for key in transport.state}
    assert left == {"clock", "model", "pool", "specification"}


def test_a_state_that_is_not_ours_is_refused() -> None:
    transport = Transport(make_world(7))
    transport.run(random.Random(7), batch=3)
    for state in (
        {b'["flowers"]': b"?"},
        {b"not json": b"?"},
        transport.state | {b'["clock"]': b"{}"},
        transport.state | {b'["predictions","nobody"]': b"123"},
        {k: v for k, v in transport.state.items() if b"specification" not in k},
    ):
        with pytest.raises(ConfigError, match="observer's state"):
            ObserverFold(PARTITION, state, context())


def test_a_new_specification_counts_from_its_first_batch_on_and_old_predictions_keep_theirs() -> None:
    """Both are told, neither is mixed: predictions of the old specification are labelled under it."""
    newer = LOANS.with_bins({"income": (-0.5, 0.5, 1.5, 2.5)}, {})
    world = World([p for p in make_world(8, 200).predictions if getattr(p, "spec", LOANS) is LOANS])
    world.truths = [Observed(p.name, LOANS, p.time + 3_600, "default") for p in world.predictions[:-1]
                    if hasattr(p, "name")]  # fmt: skip
    world.truths.append(world.predictions[-1])
    told = []
    for seed in (1, 2):
        rng, seen = random.Random(seed), context()
        transport = Transport(world, seen)
        while transport.saved[0] < 100:
            transport.deliver(0, min(10, 100 - transport.done[0]))
            if rng.random() < 0.5:
                transport.commit()
            elif rng.random() < 0.3:
                transport.crash()
        seen.catalogue.absorb("monitors", 9, b"loans", encode(MonitorApplied("loans", newer.spec, newer.to_json())))
        transport.run(rng, crashes=0.2)
        panes = [decode(o.value) for o in transport.outputs if o.key == b"loans"]
        left = {json.loads(key)[0] for key in transport.state}
        assert left <= {"clock", "model", "pool", "specification"}, "the last pane of a specification goes before it"
        told.append(sorted(repr(p) for p in panes if isinstance(p, Pane) and p.kind != "counters"))
        by_spec = {s: [p for p in panes if p.spec == s and p.kind == "features"] for s in (LOANS.spec, newer.spec)}
        assert sum(_last(by_spec[LOANS.spec])) + sum(_last(by_spec[newer.spec])) == len(
            PaneOracle(world, LOANS).join.accepted
        )
        assert all(_last(found) for found in by_spec.values())
        labels = [p for p in panes if p.kind == "labels" and p.spec == LOANS.spec]
        assert max(p.truths_last_offset for p in labels) > 0
    assert told[0] == told[1]


def _last(panes: list[Pane]) -> list[int]:
    """Predictions in the last revision of each pane."""
    last = {(p.version, p.role, p.pane_start): p.counts["predictions"] for p in panes}
    return list(last.values())


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 5, 4_096])
def test_four_statuses_fit_into_a_byte(rows: int) -> None:
    status = np.random.default_rng(rows).integers(0, 4, rows).astype(np.int8)
    assert len(_pack_status(status)) == (rows + 3) // 4
    assert (_unpack_status(_pack_status(status), rows) == status).all()
    assert (_unpack_status(_pack_status(status), rows + 9)[rows:] == 0).all(), "rows that came later wait"
