"""A state that driftloop wrote before models shared join stores: state_layout_1.json.gz, made by the sources of then
(the parent of commit 5566e0f) from two thirds of the world of ``SEED``, with all that had been told by then."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import NamedTuple

from driftloop.streams.fold import Output

from .world import World, make_world

SEED, SIZE = 11, 120
FILE = Path(__file__).parent / "state_layout_1.json.gz"


class Left(NamedTuple):
    """``saved``: records of predictions and truths that the state has absorbed. ``outputs``: panes, as written."""

    world: World
    saved: tuple[int, int]
    state: dict[bytes, bytes]
    outputs: list[Output]


def left_behind() -> Left:
    found = json.loads(gzip.decompress(FILE.read_bytes()))
    outputs = [Output(t, bytes.fromhex(key) or None, bytes.fromhex(value)) for t, key, value in found["panes"]]
    state = {key.encode(): bytes.fromhex(value) for key, value in found["state"].items()}
    return Left(make_world(SEED, SIZE), (found["saved"][0], found["saved"][1]), state, outputs)
