"""What every detector of the registry answers to NaN, infinities, constants and nothing at all: docs/detectors.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftloop.detectors import DETECTORS
from driftloop.detectors.e_detector import Losses
from driftloop.detectors.ranked import Window
from driftloop.detectors.rff_mmd import Fourier
from driftloop.detectors.seasonal import Pane, Settings, fit
from driftloop.detectors.whitened_covariance import Moments
from driftloop.detectors.window_csr import Scores, uniform_of

from .seasonal.streams import HOUR, MONDAY, layout
from .test_contract import CASES, VALUE_BY_VALUE, run

DOCS = Path(__file__).resolve().parents[2] / "docs" / "detectors.md"
NAN, INFINITE = float("nan"), float("inf")
REFUSED, LEFT_OUT, NO_STEP, RANKED = "refused", "left out", "no step", "ranked"


@dataclass(frozen=True)
class Answers:
    """``nan``, ``infinite``: what is done with such observations, and these. ``constant``: the i-th of a stream that
    never changes; ``settings`` for it where those of the contract know another stream."""

    nan: tuple[str, list[Any]]
    infinite: tuple[str, list[Any]]
    constant: Callable[[int], Any]
    settings: dict[str, Any] | None = None


def hour(t: int, counts: np.ndarray) -> Pane:
    return Pane(MONDAY + t * HOUR, counts)


def broken(value: float) -> np.ndarray:
    found = np.ones(78)
    found[3] = value
    return found


def answers() -> dict[str, Answers]:
    def same_score(i: int) -> Scores:
        return Scores((0.3,) * 3, tuple(uniform_of("constant", i, feature) for feature in range(3)))

    def waves(value: float, i: int = 0) -> Window[Fourier]:
        return Window(Fourier(50, np.full(16, value), np.zeros(16)), uniform_of("waves", i))

    def sums(value: float, i: int = 0) -> Window[Moments]:
        return Window(Moments(50, np.full(3, value), 50.0 * np.eye(3)), uniform_of("sums", i))

    values = Answers((LEFT_OUT, [[NAN] * 3]), (LEFT_OUT, [[INFINITE, -INFINITE]]), lambda _: [0.0] * 50)
    flat = np.tile([60, 0, 40], 26)
    return dict.fromkeys([*VALUE_BY_VALUE, "river"], values) | {
        "e_detector": Answers(
            (REFUSED, [Losses(0.0, (NAN, 1), 1.0), Losses(0.0, (5, 5), NAN), Losses(NAN, (5, 5), 5.0)]),
            (REFUSED, [Losses(0.0, (INFINITE, 1), 1.0), Losses(0.0, (5, 5), INFINITE)]),
            lambda i: Losses(float(i), (40, 10), 10.0),
        ),
        "window_csr": Answers(
            (NO_STEP, [Scores((NAN,) * 3, (0.5,) * 3)]), (RANKED, [Scores((INFINITE,) * 3, (0.5,) * 3)]), same_score
        ),
        "rff_mmd": Answers((REFUSED, [waves(NAN)]), (REFUSED, [waves(INFINITE)]), lambda i: waves(20.0, i)),
        "whitened_covariance": Answers((REFUSED, [sums(NAN)]), (REFUSED, [sums(INFINITE)]), lambda i: sums(0.0, i)),
        "chi2_sr": Answers(
            (REFUSED, [((NAN, 1, 1, 1), (1, 1))]),
            (REFUSED, [((1, 1, 1, 1), (INFINITE, 1))]),
            lambda _: ((50,) * 4, (100, 100)),
        ),
        "seasonal": Answers(
            (REFUSED, [hour(400, broken(NAN)), Pane(NAN, np.ones(78))]),
            (REFUSED, [hour(400, broken(INFINITE)), Pane(INFINITE, np.ones(78))]),
            lambda i: hour(336 + i, flat),
            {"watched": Settings(layout()), "baseline": fit(Settings(layout()), [hour(t, flat) for t in range(336)])},
        ),
    }


ANSWERS = answers()
everyone = pytest.mark.parametrize("name", DETECTORS)
DOCUMENTED = {REFUSED: "refused", LEFT_OUT: "left out, counted", NO_STEP: "no step", RANKED: "ranked"}


@everyone
def test_the_page_says_what_is_done(name: str) -> None:
    """A row a detector: NaN, infinities, a constant stream, nothing."""
    row = next(
        line
        for line in DOCS.read_text().splitlines()
        if line.startswith("|") and f"`{name}`" in line and "never alarms" in line
    )
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1].startswith(DOCUMENTED[ANSWERS[name].nan[0]])
    assert cells[2].startswith(DOCUMENTED[ANSWERS[name].infinite[0]])


@everyone
@pytest.mark.parametrize("kind", ["nan", "infinite"])
def test_what_is_no_number_is_refused_left_out_or_ranked_and_blinds_nobody(name: str, kind: str) -> None:
    """After it the evidence is a number, and the change is found as it was."""
    case, detector = CASES[name], DETECTORS[name]
    settings = detector.settings(**case.settings)
    before, state = run(case, case.quiet)
    answer, observations = getattr(ANSWERS[name], kind)
    for seen in observations:
        if answer == REFUSED:
            kept = detector.to_bytes(state)
            with pytest.raises(ValueError, match="needed"):
                detector.step(settings, state, seen)
            assert detector.to_bytes(state) == kept
            continue
        state, verdict = detector.step(settings, state, seen)
        assert np.isfinite(verdict.statistic)
        assert not verdict.alarmed
        if answer == NO_STEP:
            assert verdict.statistic == before[-1].statistic
    if answer == LEFT_OUT:
        assert state.left_out == sum(map(len, observations))
    found = []
    for seen in case.changed:
        state, verdict = detector.step(settings, state, seen)
        assert np.isfinite(verdict.statistic)
        found.append(verdict.alarmed)
    assert any(found)


@pytest.mark.parametrize("wrong", [hour(3, broken(NAN)), hour(3, broken(-1.0)), Pane(NAN, np.ones(78))])
def test_a_season_is_not_learnt_from_what_is_no_count(wrong: Pane) -> None:
    with pytest.raises(ValueError, match="needed"):
        fit(Settings(layout()), [hour(t, np.ones(78)) for t in range(3)] + [wrong])


@everyone
def test_a_stream_that_never_changes_never_alarms(name: str) -> None:
    """100 observations all alike: evidence stays a number below the threshold."""
    answer, detector = ANSWERS[name], DETECTORS[name]
    settings = detector.settings(**(answer.settings or CASES[name].settings))
    state = detector.start(settings)
    for i in range(100):
        state, verdict = detector.step(settings, state, answer.constant(i))
        assert np.isfinite(verdict.statistic)
        assert not verdict.alarmed


@everyone
def test_nothing_at_all_is_no_evidence_even_before_anything_else(name: str) -> None:
    """An empty batch, pane or window first, and again at the end: the same evidence as without."""
    case, detector = CASES[name], DETECTORS[name]
    settings = detector.settings(**case.settings)
    state, verdict = detector.step(settings, detector.start(settings), case.nothing)
    assert not verdict.alarmed
    assert np.isfinite(verdict.statistic)
    for seen in case.quiet[:3]:
        state, verdict = detector.step(settings, state, seen)
    _, after = detector.step(settings, state, case.nothing)
    expected = run(case, case.quiet[:3])[0][-1]
    assert (after.statistic, after.alarmed) == (verdict.statistic, verdict.alarmed)
    assert (verdict.statistic, verdict.alarmed) == (expected.statistic, expected.alarmed)
