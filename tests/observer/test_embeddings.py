"""Embeddings in panes: norms and sums of the rows, each taken alone, added up; in any order and over any crash."""

from __future__ import annotations

import math
import random
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftloop.schemas.baseline.projection import Projection, named
from driftloop.schemas.baseline.reference import build_reference
from driftloop.schemas.codec import decode
from driftloop.schemas.events import Pane
from driftloop.schemas.monitor.segments import Segmentation
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification

from . import world as world_module
from .pane_oracle import PaneOracle
from .test_fold import assert_cuts_change_no_byte, counted, order, panes_of
from .world import CLICKS, LOANS, Predicted, Transport, World, context, make_world

WIDTH = 5
TEXT, PICTURE = (
    Feature(name, f"f_{name}_{n}", "embedding", width=n) for name, n in (("text", WIDTH), ("picture", 2))
)
PLAIN = replace(LOANS, features=(*LOANS.features, TEXT, PICTURE))


def sums_of(projection: Projection, vectors: np.ndarray) -> dict[str, float]:
    return projection.all_sums(projection.project(vectors))


def a_vector(rng: random.Random) -> list[float] | None:
    return None if rng.random() < 0.2 else [rng.gauss(1.0, 2.0) for _ in range(WIDTH)]


def with_bases() -> MonitorSpecification:
    """A reference in which text is known and picture never comes."""
    rng = random.Random(0)
    text = np.array([a_vector(rng) or [math.nan] * WIDTH for _ in range(400)], np.float32)
    columns: dict[str, Any] = {"income": np.zeros(400), "debt": np.zeros(400), "text": text}
    columns |= {"region": np.array(["north"] * 400, object), "picture": np.full((400, 2), np.nan, np.float32)}
    times = 1.6e9 + np.arange(400.0)
    found, baselines = build_reference(PLAIN, columns, np.zeros(400), score=np.full(400, 0.5), event_time=times)
    there = int(np.isfinite(text).all(axis=1).sum())
    assert baselines.features["text"][-1] == 400 - there
    assert sum(baselines.features["text"][:-1]) == there
    assert "picture" not in baselines.features
    known = found.features[-2]
    assert known.basis is not None
    assert dict(baselines.sums) == named("text", sums_of(Projection(WIDTH, known.basis), text))
    assert MonitorSpecification.from_json(found.to_json()) == found
    return found


EMBEDDED = with_bases()
SEGMENTED = replace(EMBEDDED, segments=(Segmentation("region", ("region",), (("north",),)),))


class EmbeddingOracle(PaneOracle):
    def feature_row(self, i: int) -> None:
        super().feature_row(i)
        p = self.p[i]
        key = (p.version, p.role, self.start_of(p), "features", -1)
        due = self.due(self.start_of(p) + self.spec.pane_seconds, self.before_p[i])
        counts, sums, _ = self.parts[key][due][-1]
        text, edges = self.spec.embeddings[0], self.spec.embeddings[0].edges
        vector = p.features.get("text")
        if edges is None:
            return
        assert text.basis is not None
        single = np.array([vector or [math.nan] * WIDTH], np.float32)
        sums |= named("text", sums_of(Projection(WIDTH, text.basis), single))
        steps = [round(x * (4_096 / text.basis.scale)) for x in single[0].tolist()] if vector else []
        norm = math.sqrt(sum(u * u for u in steps)) * (text.basis.scale / 4_096)
        bits = 10 - math.frexp(norm)[1] if vector else 0
        code = sum(e <= round(norm * 2**bits) / 2**bits for e in edges) if vector else len(edges) + 1
        counts[f"feature:text/{code}"] += 1


@pytest.fixture(params=["before a reference", "after it", "with segments"])
def spec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[MonitorSpecification]:
    chosen = {"before a reference": PLAIN, "after it": EMBEDDED, "with segments": SEGMENTED}[request.param]
    monkeypatch.setattr("driftloop.streams.observer.join.rows.SEGMENT_ROWS", 16)
    monkeypatch.setattr("driftloop.streams.observer.recovery.state.SEGMENT_ROWS", 16)
    monkeypatch.setattr("driftloop.streams.observer.fold.ROWS_GATHERED_MOST", 20)
    plain = world_module.prediction

    def embedded(rng: random.Random, name: str, time: float) -> Predicted:
        p = plain(rng, name, time)
        return replace(p, features=p.features | {"text": a_vector(rng)}) if p.spec is chosen else p

    monkeypatch.setattr(world_module, "LOANS", chosen)
    monkeypatch.setattr(world_module, "prediction", embedded)
    yield chosen


@pytest.mark.parametrize("seed", range(3))
def test_every_pane_holds_the_sums_of_its_rows(spec: MonitorSpecification, seed: int) -> None:
    world = make_world(seed)
    transport = Transport(world, context(None, spec, CLICKS))
    transport.run(random.Random(seed), crashes=0.2)
    told = [p for p, _ in sorted(panes_of(transport), key=order) if p.kind == "features" and p.model == "loans"]
    expected = {k: v for k, v in EmbeddingOracle(world, spec).emissions().items() if k[3] == "features"}
    whole = [p for p in told if not p.segment]
    assert len(whole) == sum(map(len, expected.values()))
    for key, emissions in expected.items():
        found = [p for p in whole if (p.version, p.role, p.pane_start, p.kind, p.bucket) == key]
        for pane, (due, revision, counts, sums) in zip(found, emissions, strict=True):
            assert (pane.emitted_at, pane.revision) == (due, revision)
            mine = Counter({k: n for k, n in counted(pane).items() if not k.startswith("segment_other")})
            assert mine == +counts
            assert pane.sums == ({} if spec is PLAIN else sums), "exactly"
    for pane in told:
        if pane.segment:
            assert not pane.sums
            assert {h.name for h in pane.histograms} <= {"predicted", "score"}


def test_cuts_interleaving_and_crashes_change_no_byte(spec: MonitorSpecification) -> None:
    world = make_world(11, size=150)
    assert_cuts_change_no_byte(world, spec, CLICKS)


def test_a_vector_that_is_not_finite_is_missing_and_broken_and_hurts_no_sum() -> None:
    world = World([Predicted(f"n{i}", EMBEDDED, world_module.START + i, 0.5, {"text": v}, "v1", "champion", None)
                   for i, v in enumerate(([1.0] * WIDTH, [2.0] * WIDTH, None))])  # fmt: skip
    world.predictions.append(world_module.Marked(world_module.START + 9_000))
    world.truths.append(world_module.Marked(world_module.START + 9_000))
    transport = Transport(world, context(None, EMBEDDED))
    key, value = transport.records[0][1]
    assert value is not None
    good = struct.pack("<f", 2.0) * WIDTH
    assert value.count(good) == 1
    transport.records[0][1] = (key, value.replace(good, good[:-4] + struct.pack("<f", math.inf)))
    transport.run(random.Random(0))
    (pane,) = [p for p, _ in panes_of(transport) if p.kind == "features"]
    assert (pane.counts["missing:text"], pane.counts["broken:text"], pane.counts["predictions"]) == (2, 1, 3)
    assert pane.counts["missing:picture"] == 3
    basis = EMBEDDED.embeddings[0].basis
    assert basis is not None
    alone = sums_of(Projection(WIDTH, basis), np.ones((1, WIDTH), np.float32))
    assert pane.sums == named("text", alone)


def test_a_pane_with_eight_wide_embeddings_is_small_enough_for_the_wire() -> None:
    rng = np.random.default_rng(0)
    names = [f"{'embedding ' * 4}{i:>10}" for i in range(8)]
    features = tuple(Feature(name, f"f_{i}", "embedding", width=16) for i, name in enumerate(names))
    spec = replace(LOANS, features=features)
    columns = {name: rng.standard_normal((60, 16)).astype(np.float32) for name in names}
    found, _ = build_reference(
        spec, columns, np.zeros(60), score=np.full(60, 0.5), event_time=world_module.START + np.arange(60.0)
    )
    rows = [{name: columns[name][i] for name in names} for i in range(60)]
    times = [world_module.START + i for i in range(60)]
    seat = ("v1", "champion", None)
    world = World([Predicted(f"n{i}", found, times[i], 0.5, row, *seat) for i, row in enumerate(rows)])
    for log in world.logs:
        log.append(world_module.Marked(world_module.START + 9_000))
    transport = Transport(world, context(None, found))
    transport.run(random.Random(0))
    (value,) = [o.value for o in transport.outputs if isinstance(decode(o.value), Pane) and b"features" in o.value]
    assert len(value) < 256_000
    assert len(decode(value).sums) == 8 * (128 + 16 + 136)
