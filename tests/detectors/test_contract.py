"""What every sequential test of the registry promises: resume equals uninterrupted, no aliasing, no surprise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from driftloop.detectors import DETECTORS, Verdict
from driftloop.detectors.e_detector import Losses
from driftloop.detectors.ranked import Window
from driftloop.detectors.rff_mmd import Fourier, fourier
from driftloop.detectors.seasonal import Pane, Settings, fit
from driftloop.detectors.whitened_covariance import Moments, moments
from driftloop.detectors.window_csr import Scores

from .seasonal.streams import MONDAY, layout, panes


@dataclass(frozen=True)
class Case:
    """Settings and a stream with a change in it; ``nothing`` is an observation that says nothing."""

    name: str
    settings: dict[str, Any]
    quiet: list[Any]
    changed: list[Any]
    nothing: Any
    wrong: Any = None


VALUE_BY_VALUE: dict[str, dict[str, Any]] = {
    "e_sr": {},
    "csr": {"reference": 100},
    "adwin": {},
    "ddm": {},
    "eddm": {"beta": 0.5, "alpha": 0.6},
    "page_hinkley": {"threshold": 20.0},
    "hddm_a": {},
    "hddm_w": {},
    "kswin": {"alpha": 1e-4, "stat_size": 50},
}


FREQUENCIES = np.random.default_rng(9).standard_normal((3, 16)) / 2.5


def counts(rng: np.random.Generator, shares: list[float], n: int) -> tuple[int, ...]:
    return tuple(rng.multinomial(n, shares).tolist())


def waves(rows: np.ndarray) -> Fourier:
    return fourier(rows, FREQUENCIES)


def of_sums() -> list[Case]:
    """Those that take sums over many numbers together."""
    rng, nothing = np.random.default_rng(2), np.empty((0, 3))

    def many(make: Callable[[np.ndarray], Any], spread: float, windows: int) -> list[Window[Any]]:
        return [Window(make(rng.normal(0.0, spread, (100, 3))), rng.random()) for _ in range(windows)]

    wrong = {
        "rff_mmd": Fourier(5, np.zeros(2), np.zeros(2)),
        "whitened_covariance": Moments(5, np.zeros(2), np.eye(2)),
    }
    return [
        Case(
            name,
            {"reference": make(rng.normal(size=(2_000, 3))), "threshold": 200.0},
            many(make, 1.0, 60),
            many(make, 2.0, 40),
            Window(make(nothing), 0.5),
            Window(wrong[name], 0.5),
        )
        for name, make in {"rff_mmd": waves, "whitened_covariance": moments}.items()
    ]


def cases() -> list[Case]:
    rng = np.random.default_rng(1)

    def losses(p: float, time: int) -> Losses:
        k = int(rng.binomial(50, p))
        return Losses(float(time), (50 - k, k), float(k))

    def scores(shift: float) -> Scores:
        return Scores(tuple(rng.normal(shift, 1, 3).tolist()), tuple(rng.random(3).tolist()))

    even, skewed = [0.25] * 4, [0.4, 0.3, 0.2, 0.1]
    windows = [(counts(rng, even, 200), counts(rng, [0.5, 0.5], 200)) for _ in range(40)]
    drifted = [(counts(rng, skewed, 200), counts(rng, [0.5, 0.5], 200)) for _ in range(40)]
    settings = Settings(layout())
    bits = [rng.binomial(1, 0.1, 50).astype(float).tolist() for _ in range(20)]
    worse = [rng.binomial(1, 0.6, 50).astype(float).tolist() for _ in range(20)]
    return [
        Case(
            "e_detector",
            {"mean": 0.2, "threshold": 500.0, "least": (0.0, 1.0)},
            [losses(0.2, i) for i in range(40)],
            [losses(0.4, i) for i in range(40, 80)],
            Losses(0.0, (0, 0), 0.0),
            Losses(0.0, (1, -1), 0.0),
        ),
        Case(
            "window_csr",
            {"features": 3, "threshold": 200.0},
            [scores(0.0) for _ in range(60)],
            [scores(4.0) for _ in range(40)],
            Scores((float("nan"),) * 3, (0.5,) * 3),
            Scores((1.0, 2.0), (0.5, 0.5)),
        ),
        Case(
            "chi2_sr",
            {"reference": ((2500,) * 4, (5000, 5000)), "threshold": 500.0},
            windows,
            drifted,
            ((0,) * 4, (0, 0)),
            ((1, 2, 3), (1, 1)),
        ),
        *of_sums(),
        Case(
            "seasonal",
            {"watched": settings, "baseline": fit(settings, list(panes(336)))},
            list(panes(48, first=336)),
            list(panes(30, first=384, shift=0.4)),
            Pane(MONDAY + 336 * 3600.0, np.zeros(78, np.int64)),
            Pane(0.0, np.zeros(5, np.int64)),
        ),
        *(Case(name, settings, bits, worse, [], [[0.0, 1.0]]) for name, settings in VALUE_BY_VALUE.items()),
        Case("river", {"detector": "ADWIN"}, bits, worse, []),
    ]


CASES = {case.name: case for case in cases()}
everyone = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def run(case: Case, stream: list[Any], restore_every: int = 0) -> tuple[list[Verdict], Any]:
    detector = DETECTORS[case.name]
    settings = detector.settings(**case.settings)
    state, verdicts = detector.start(settings), []
    for i, seen in enumerate(stream):
        state, verdict = detector.step(settings, state, seen)
        verdicts.append(verdict)
        if restore_every and i % restore_every == 0:
            state = detector.from_bytes(detector.to_bytes(state))
    return verdicts, state


def test_every_detector_of_the_registry_has_a_case_and_says_what_it_is_bound_to() -> None:
    assert set(CASES) == set(DETECTORS)
    assert all(detector.bound and detector.watches for detector in DETECTORS.values())


@everyone
def test_it_is_silent_on_a_quiet_stream_and_finds_the_change(case: Case) -> None:
    verdicts, _ = run(case, case.quiet + case.changed)
    assert not any(v.alarmed for v in verdicts[: len(case.quiet)])
    assert any(v.alarmed for v in verdicts[len(case.quiet) :])


@everyone
@pytest.mark.parametrize("every", [1, 7])
def test_a_state_that_went_through_bytes_goes_on_as_if_nothing_had_happened(case: Case, every: int) -> None:
    stream = case.quiet + case.changed
    assert run(case, stream, restore_every=every)[0] == run(case, stream)[0]


@everyone
def test_a_step_leaves_the_state_it_was_given_as_it_was(case: Case) -> None:
    detector = DETECTORS[case.name]
    settings = detector.settings(**case.settings)
    state, _ = detector.step(settings, detector.start(settings), case.quiet[0])
    before = detector.to_bytes(state)
    detector.step(settings, state, case.changed[0])
    assert detector.to_bytes(state) == before


@everyone
def test_an_observation_that_says_nothing_brings_no_evidence(case: Case) -> None:
    detector = DETECTORS[case.name]
    verdicts, state = run(case, case.quiet)
    settings = detector.settings(**case.settings)
    for _ in range(50):
        state, verdict = detector.step(settings, state, case.nothing)
    assert not verdict.alarmed
    if case.name != "river":
        assert verdict.statistic == verdicts[-1].statistic


@everyone
def test_what_is_no_observation_is_refused(case: Case) -> None:
    if case.wrong is None:
        return
    detector = DETECTORS[case.name]
    settings = detector.settings(**case.settings)
    with pytest.raises(ValueError, match="needed"):
        detector.step(settings, detector.start(settings), case.wrong)


@everyone
def test_bytes_of_another_layout_are_refused(case: Case) -> None:
    detector = DETECTORS[case.name]
    state = detector.start(detector.settings(**case.settings))
    data = detector.to_bytes(state)
    for broken in (b"", b"\x00" + data[1:], data[:-1], b"\x63" + data):
        with pytest.raises(Exception, match=r".+"):
            detector.from_bytes(broken)
    if case.name != "river":
        with pytest.raises(ValueError, match="too many"):
            detector.from_bytes(data + b"\x00")


values_only = pytest.mark.parametrize("name", VALUE_BY_VALUE)


def scanned(name: str, *batches: list[float]) -> tuple[list[list[int]], Any]:
    """The alarms of each batch, and the state behind the last."""
    detector = DETECTORS[name]
    settings = detector.settings(**VALUE_BY_VALUE[name])
    assert detector.scan is not None
    state, alarms = detector.start(settings), []
    for batch in batches:
        state, found = detector.scan(settings, state, batch)
        alarms.append(found.alarms.tolist())
    return alarms, state


def flat(batches: list[list[float]]) -> list[float]:
    return [value for batch in batches for value in batch]


@values_only
def test_what_is_no_measurement_is_left_out_and_counted_and_blinds_nobody(name: str) -> None:
    """NaN, infinities and 1e200 between the values: the same alarms, at the same values, and four counted."""
    case = CASES[name]
    quiet, worse = flat(case.quiet), flat(case.changed)
    bad = [float("nan"), float("inf"), -float("inf"), 1e200]
    (_, plain), _ = scanned(name, quiet, worse)
    (before, dirty), state = scanned(name, quiet[:500] + bad + quiet[500:], worse)
    assert before == []
    assert dirty == plain != []
    assert state.left_out == 4
    (shifted, *_), _ = scanned(name, bad + quiet + worse)
    assert shifted == [len(bad) + len(quiet) + at for at in plain], "positions are those of the batch as given"


@values_only
@pytest.mark.parametrize("constant", [0.0, 0.1, 1.0])
def test_a_constant_stream_never_alarms(name: str, constant: float) -> None:
    (alarms,), state = scanned(name, [constant] * 5_000)
    assert alarms == []
    assert not any(np.isnan(part).any() for part in map(np.asarray, flatten(state)))


def flatten(state: Any) -> list[Any]:
    """Numbers and arrays of a state, however deep."""
    if not isinstance(state, tuple):
        return [state]
    return [part for inner in state for part in flatten(inner)]


@values_only
def test_an_empty_batch_changes_nothing(name: str) -> None:
    values = flat(CASES[name].quiet)
    _, plain = scanned(name, values)
    alarms, around = scanned(name, [], values[:300], [], values[300:], [])
    to_bytes = DETECTORS[name].to_bytes
    assert alarms == [[]] * 5
    assert to_bytes(around) == to_bytes(plain)


@values_only
def test_the_state_is_bounded(name: str) -> None:
    """20,000 values take no more than 4 kB above 2,000."""
    rng = np.random.default_rng(4)
    _, short = scanned(name, rng.binomial(1, 0.2, 2_000).astype(float).tolist())
    _, long = scanned(name, rng.binomial(1, 0.2, 20_000).astype(float).tolist())
    to_bytes = DETECTORS[name].to_bytes
    assert len(to_bytes(long)) < len(to_bytes(short)) + 4_096


@pytest.mark.parametrize("name", ["ddm", "e_sr"])
def test_what_is_no_error_or_loss_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        scanned(name, [0.0, 7.0])


@everyone
def test_the_statistic_stays_a_number_on_the_worst_of_streams(case: Case) -> None:
    verdicts, _ = run(case, case.changed * (4 if case.name in VALUE_BY_VALUE else 30))
    assert all(np.isfinite(v.statistic) for v in verdicts)
    assert all(not np.isnan(part) for v in verdicts for part in v.parts)
