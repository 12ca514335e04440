"""Detectors by name: each as its author has it, however the series is cut; what fails, fails in a sentence."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from driftloop.detectors import by_name
from driftloop.detectors.by_name import find
from river import drift
from river.drift import binary

HERE = __name__
NAMES = (*by_name.ours(), "river:ADWIN", "river:drift.KSWIN", "river:drift.binary.DDM", f"{HERE}:jumps")


def jumps(state: Any, value: float, by: float = 0.5) -> tuple[Any, bool]:
    """Somebody's own: a state of nested plain things, which it changes in place."""
    state = state or {"seen": [0], "last": value}
    state["seen"][0] += 1
    alarmed = abs(value - state["last"]) > by
    state["last"] = value
    return state, alarmed


def endless(state: Any, value: float) -> tuple[Any, bool]:
    return [*(state or []), value] * 2, False


def leaves(state: Any, value: float) -> tuple[Any, bool]:
    if value > 0:
        sys.exit(3)
    return state, False


def unsayable(state: Any, value: float) -> tuple[Any, bool]:  # noqa: ARG001
    return {value}, False


def bits(seed: int = 1) -> list[float]:
    rng = np.random.default_rng(seed)
    return [*rng.binomial(1, 0.1, 500).astype(float), *rng.binomial(1, 0.7, 400).astype(float)]


@pytest.mark.parametrize("name", NAMES)
def test_a_series_may_be_cut_anywhere_and_its_state_is_bytes(name: str) -> None:
    runner = find(name, {HERE})({})
    whole = runner.scan(b"", bits())
    assert whole.alarms
    assert (whole.taken, whole.error) == (900, "")
    state, alarms = b"", []
    for at in (*range(0, 300, 7), *range(301, 900, 33)):
        stop = min(900, at + (7 if at < 301 - 7 else 33) if at != 294 else 301)
        part = runner.scan(state, bits()[at:stop])
        state, alarms = part.state, alarms + [at + alarm for alarm in part.alarms]
    assert alarms == whole.alarms
    assert state == whole.state


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("river:ADWIN", drift.ADWIN()),
        ("river:river.drift.binary.HDDMW", binary.HDDMW()),
        ("river:KSWIN", drift.KSWIN(seed=42)),
        ("river:PageHinkley", drift.PageHinkley()),
    ],
)
def test_the_alarms_are_rivers_own(name: str, original: Any) -> None:
    expected = []
    for at, value in enumerate(bits(3)):
        original.update(value)
        if original.drift_detected:
            expected.append(at)
    assert find(name)({}).scan(b"", bits(3)).alarms == expected


def test_a_state_of_another_release_of_river_is_none() -> None:
    runner = find("river:ADWIN")({})
    state = runner.scan(b"", bits()[:500]).state
    older = b"river 0.1.0" + state[state.index(b"\n") :]
    assert runner.scan(older, bits()[500:]) == runner.scan(b"", bits()[500:])
    assert find("adwin")({}).scan(b"\x63older", bits()).state == find("adwin")({}).scan(b"", bits()).state


@pytest.mark.parametrize(
    ("function", "taken", "said"),
    [
        ("endless", 12, "bytes, more than 65536"),
        ("leaves", 1, "SystemExit: 3"),
        ("unsayable", 0, "Object of type set is not JSON serializable"),
    ],
)
def test_what_comes_before_the_value_that_fails_counts(function: str, taken: int, said: str) -> None:
    runner = find(f"{HERE}:{function}", {HERE})({})
    values = [0.0, 1.0, *[1 / 3] * 98]
    found = runner.scan(b"", values)
    assert (found.taken, found.alarms) == (taken, [])
    assert said in found.error
    assert found.state == (runner.scan(b"", values[:taken]).state if taken else b"")


@pytest.mark.parametrize(
    ("use", "settings", "said"),
    [
        ("adwim", {}, "'adwim' is none of e_sr, csr, adwin"),
        ("river:Adwin", {}, "river has no drift detector 'Adwin'"),
        ("river:anomaly.ADWIN", {}, "river has no drift detector 'anomaly.ADWIN'"),
        ("adwin", {"dleta": 1}, "unexpected keyword argument 'dleta' (it takes delta, clock,"),
        ("adwin", {"delta": 2}, "delta is 2, not between 0 and 1 (it takes"),
        ("kswin", {"window_size": 100.5}, "(it takes alpha, window_size, stat_size, seed)"),
        ("river:PageHinkley", {"threshold": "high"}, "'>' not supported"),
        ("os:system", {}, "os is not allowed to be imported"),
        (f"{HERE}:jumps", {"bye": 1}, "cannot be called with (state, value, **settings): got an unexpected"),
        (f"{HERE}:HERE", {}, "has no function HERE"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(use: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        find(use, {HERE})(settings)
    assert said in str(caught.value)
