"""An upgrade over a state of layout 1: what was written then is carried over, nothing is lost or counted twice."""

from __future__ import annotations

import json
import random

import pytest
from driftloop.schemas.errors import ConfigError
from driftloop.streams.observer.recovery.carrying import carried_over

from .layout_1 import SEED, SIZE, left_behind
from .test_rewind import last_told
from .world import Transport, make_world


def upgraded() -> Transport:
    left = left_behind()
    transport = Transport(left.world)
    state = carried_over(1, left.state)
    assert state is not None
    transport.state, transport.saved, transport.outputs = state, list(left.saved), list(left.outputs)
    transport.crash()
    return transport


@pytest.mark.parametrize("crashes", [0.0, 0.3])
def test_it_goes_on_as_if_there_had_been_no_upgrade(crashes: float) -> None:
    """Rows that were written then meet their other half now."""
    transport = upgraded()
    waiting = sum(len(rows) for pool in transport.fold.pools for rows in pool.stores())
    assert waiting > 50
    transport.run(random.Random(1), batch=5, crashes=crashes)
    wanted = Transport(make_world(SEED, SIZE))
    wanted.run(random.Random(SEED))
    assert last_told(transport.outputs) == last_told(wanted.outputs)


def test_the_state_of_the_first_release_which_did_not_tell_its_columns_is_read_too() -> None:
    left = left_behind()
    older = dict(left.state)
    for key, value in left.state.items():
        if json.loads(key)[0] == "model":
            older[key] = json.dumps({k: v for k, v in json.loads(value).items() if k != "columns"}).encode()
    found, wanted = carried_over(1, older), carried_over(1, left.state)
    assert found is not None and wanted is not None
    assert {k: json.loads(v) for k, v in found.items() if v[:1] == b"{"} == {
        k: json.loads(v) for k, v in wanted.items() if v[:1] == b"{"
    }
    assert found.keys() == wanted.keys()


def test_of_another_layout_nobody_knows_how() -> None:
    assert carried_over(3, left_behind().state) is None


def test_what_is_no_state_of_that_layout_is_refused() -> None:
    with pytest.raises(ConfigError, match="of layout 1 cannot be carried over"):
        carried_over(1, {b'["model","loans"]': b"{}"})
    with pytest.raises(ConfigError, match="delete the state topic"):
        carried_over(1, {b"header": b"{}"})
