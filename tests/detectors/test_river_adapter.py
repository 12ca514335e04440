"""river's detectors behind our step: the same alarms as river itself, and what we take off its users' hands."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from driftloop.detectors import river_adapter
from driftloop.detectors.river_adapter import Settings, estimate, from_bytes, start, step, to_bytes
from river import drift
from river.drift import binary

NAMES = ("ADWIN", "DDM", "EDDM", "FHDDM", "HDDMA", "HDDMW", "KSWIN", "PageHinkley")


def parameters(name: str) -> tuple[tuple[str, object], ...]:
    return (("seed", 7),) if name == "KSWIN" else ()


def stream(seed: int = 1) -> list[float]:
    rng = np.random.default_rng(seed)
    return [*rng.binomial(1, 0.1, 600).astype(float), *rng.binomial(1, 0.6, 400).astype(float)]


def alarms_of_river(make: Callable[[], object], values: list[float]) -> list[int]:
    detector = make()
    found = []
    for i, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            found.append(i)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_alarms_are_rivers_own(name: str) -> None:
    settings = Settings(name, parameters(name))
    state, found = start(settings), []
    for i, value in enumerate(stream()):
        state, verdict = step(settings, state, [value])
        if verdict.alarmed:
            found.append(i)
    kind = getattr(drift, name, None) or getattr(binary, name)
    values = [1.0 - x for x in stream()] if name == "FHDDM" else stream()
    assert found == alarms_of_river(lambda: kind(**dict(parameters(name))), values)
    assert found, "it has found the change"


@pytest.mark.parametrize("name", ["ADWIN", "PageHinkley", "DDM"])
def test_one_nan_does_not_blind_it(name: str) -> None:
    """river's own are blind for good after one."""
    settings = Settings(name)
    state, _ = step(settings, start(settings), [float("nan"), float("inf"), *stream()[:600]])
    assert (state.values, state.left_out) == (600, 2)
    _, verdict = step(settings, state, stream()[600:])
    assert verdict.alarmed


def test_adwin_tells_the_mean_it_holds_to_be_current() -> None:
    settings = Settings("ADWIN")
    state, _ = step(settings, start(settings), stream())
    assert estimate(state) == pytest.approx(0.6, abs=0.08)
    assert estimate(start(Settings("DDM"))) is None


def test_a_state_that_names_anything_else_is_not_unpickled() -> None:
    class Bad:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("never printed",)

    with pytest.raises(ValueError, match=r"builtins\.print"):
        from_bytes(pickle.dumps(Bad()))
    for asked in ("os.system", "river.base.base.inspect"):
        module, name = asked.rsplit(".", 1)
        with pytest.raises(ValueError, match=r"names|asks"):
            from_bytes(f"c{module}\n{name}\n.".encode())


def test_a_state_goes_through_bytes() -> None:
    settings = Settings("ADWIN")
    state, _ = step(settings, start(settings), stream()[:500])
    assert to_bytes(from_bytes(to_bytes(state))) == to_bytes(state)


def test_a_name_that_is_no_detector_is_refused() -> None:
    for name in ("Adwin", "DriftRetrainingClassifier", "base"):
        with pytest.raises(ValueError, match="river has no drift detector"):
            Settings(name)


def test_river_is_imported_only_on_demand() -> None:
    code = (
        "import driftloop.detectors, sys; assert 'river' not in sys.modules; assert 'scipy.stats' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert river_adapter.BOUND == "none stated"
