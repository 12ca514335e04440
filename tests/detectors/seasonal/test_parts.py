"""The parts of the seasonal monitor against independent oracles: moments, scipy's Gaussian, integrals, arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from driftloop.detectors.seasonal import Histogram, evidence, incidents, keeper, noise
from driftloop.detectors.seasonal.calendar import local, utc
from driftloop.detectors.seasonal.channels import channels_of, measure, weigh
from driftloop.detectors.seasonal.plan import Clock, Settings
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

NUMERIC = (Histogram("n", "numeric", 17),)
CATEGORICAL = (Histogram("c", "categorical", 4),)


def measured(histograms: tuple[Histogram, ...], reference: list[float], panes: np.ndarray):
    channels = channels_of(histograms)
    return channels, measure(channels, weigh(channels, histograms, np.asarray(reference)), panes)


def test_a_numeric_feature_has_a_mean_a_spread_a_skewness_and_the_missing() -> None:
    """A shift of .2 sd reads .2 in the mean, sd x 1.2 reads .24 in the spread, nothing else.

    (.31, which is (1.44 - 1) / √2, if the values themselves were known; the two outer bins of 16 hide their tails.)
    """
    edges = norm.ppf(np.arange(1, 16) / 16)

    def shares(mean: float, sd: float) -> np.ndarray:
        return np.r_[np.diff(np.r_[0, norm.cdf(edges, mean, sd), 1]), 0] * 1e6

    panes = np.array([shares(0, 1), shares(0.2, 1), shares(0, 1.2)])
    channels, found = measured(NUMERIC, shares(0, 1).tolist(), panes)
    assert channels.names == ("mean", "spread", "skewness", "missing")
    assert found.y[0, :3] == pytest.approx(0, abs=1e-3)
    assert found.square[0, :3] == pytest.approx(1, abs=1e-3)
    assert found.y[1, 0] == pytest.approx(0.2, abs=0.01)
    assert 0.23 < found.y[2, 1] < 0.44 / np.sqrt(2)
    assert found.y[2, 0] == pytest.approx(0, abs=1e-3)


def test_the_sampling_variance_is_what_the_model_takes_it_for() -> None:
    """1/n of a mean, 1/4n of a share, whatever the share; over 4,000 drawn panes."""
    rng, n = np.random.default_rng(1), 400
    panes = rng.multinomial(n, [1 / 16] * 16 + [0.0], size=4000).astype(float)
    _, found = measured(NUMERIC, [1000.0] * 16 + [0.0], panes)
    assert found.y[:, :3].var(0) * n == pytest.approx(1, abs=0.08)
    shares = [0.6, 0.3, 0.1, 0.0]
    panes = rng.multinomial(n, shares, size=4000).astype(float)
    _, found = measured(CATEGORICAL, (np.array(shares) * 1e5).tolist(), panes)
    assert found.y[:, :2].var(0) * 4 * n == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("share", [0.0, 0.002, 0.02, 0.3])
def test_traffic_alone_moves_no_share(share: float) -> None:
    """40 rows or 4,000: the mean over 4,000 panes stays within .12 of a pane's standard error of its centre."""
    rng, reference = np.random.default_rng(2), [1e6 * (1 - share), 1e6 * share, 0.0, 0.0]
    for n in (40, 4000):
        panes = rng.multinomial(n, [1 - share, share, 0, 0], size=4000).astype(float)
        _, found = measured(CATEGORICAL, reference, panes)
        assert abs(found.y[:, 1].mean()) * 2 * np.sqrt(n) < 0.12
        assert abs(found.y[:, 3].mean()) * 2 * np.sqrt(n) < 1e-9


def test_the_likelihood_on_the_grid_is_that_of_the_gaussian_it_stands_for() -> None:
    """Kalman's recursion against scipy's multivariate normal with the full covariance, and a hole in the series."""
    rng, rho, a, t = np.random.default_rng(3), 0.8, 2.0, 30
    s2 = rng.uniform(0.5, 2, (t, 1))
    residual = rng.normal(0, 2, (t, 1))
    s2[10:13] = np.inf
    some = np.isfinite(s2[:, 0])
    lags = np.abs(np.subtract.outer(np.arange(t), np.arange(t)))
    covariance = (a * rho**lags + np.diag(np.where(some, s2[:, 0], 0)))[np.ix_(some, some)]
    expected = -2 * multivariate_normal.logpdf(residual[some, 0], cov=covariance) - some.sum() * np.log(2 * np.pi)
    found = noise._likelihood(residual, s2, np.array([[rho]]), np.array([[a]]))
    assert found[0, 0] == pytest.approx(expected, rel=1e-9)


def test_the_fit_finds_the_wandering_of_a_stream_and_none_in_white_noise() -> None:
    rng, t = np.random.default_rng(4), 2000
    x, wandering = 0.0, np.zeros((t, 1))
    for i in range(t):
        x = 0.9 * x + rng.normal(0, np.sqrt(1 - 0.81))
        wandering[i] = x + rng.normal(0, 0.5)
    found = noise.fit_noise(np.c_[wandering, rng.normal(0, 0.5, t)], np.full((t, 2), 0.25))
    assert found.rho[0, 0] in (0.8, 0.9, 0.95)
    assert found.a[0, 0] == pytest.approx(1, abs=0.5)
    assert found.a[0, 1] < 0.05


def test_a_step_shows_in_the_innovations_as_the_response_says() -> None:
    wander, s2 = noise.Wander(np.array([[0.9]]), np.array([[1.0]])), np.array([[0.3]])
    state = noise.Filter(np.zeros((1, 1)), wander.a)
    for _ in range(200):
        state = noise.follow(wander, state, np.zeros((1, 1)), s2, np.ones((1, 1), bool))
    seen = []
    for _ in range(24):
        seen.append(1 - state.x[0, 0])
        state = noise.follow(wander, state, np.ones((1, 1)), s2, np.ones((1, 1), bool))
    g, f = noise.response(wander, s2, 24)
    assert g[:, 0, 0] == pytest.approx(seen, abs=1e-9)
    assert f[0, 0, 0] == pytest.approx(state.p[0, 0] + 0.3, abs=1e-9)


def test_no_bet_wins_on_a_shift_within_the_floor() -> None:
    """E[R₁] of every bet by integration, for a shift anywhere in ±floor, is at most 1."""
    tol = 0.4

    def of(z: float, k: int, sign: int) -> float:
        r = evidence.climb(evidence.nothing(1, 1), np.full((1, 1), z), np.full((1, 1), tol), np.ones((1, 1), bool))
        return float(r[0, sign, k, 0])

    for k, sign, shift in ((0, 0, tol), (1, 1, -tol), (2, 0, 0.0), (3, 0, tol), (3, 1, tol)):
        mean, _ = quad(lambda z, k=k, s=sign, m=shift: of(z, k, s) * norm.pdf(z - m), -12, 16, limit=200)
        assert mean <= 1 + 1e-6


def test_r_climbs_as_the_formula_says_and_stays_where_nothing_was_seen() -> None:
    rng = np.random.default_rng(5)
    r, z, tol = rng.uniform(0, 9, (1, 2, 4, 3)), rng.normal(0, 2, (1, 3)), np.full((1, 3), 0.1)
    found = evidence.climb(r, z, tol, np.array([[True, False, True]]))
    for k, lam in enumerate(evidence.LAMBDAS):
        for s, sign in enumerate((1, -1)):
            expected = (r[0, s, k] + 1) * np.exp(lam * (sign * z[0] - 0.1) - lam**2 / 2)
            expected[1] = r[0, s, k, 1]
            assert found[0, s, k] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("every", [1, 3, 10, 50])
def test_the_keeper_holds_self_resolved_incidents_to_the_budget_whatever_comes(every: int) -> None:
    """An adversary raises an incident as often as it can while the threshold is below its most."""
    budget, n = 168.0, 20_000
    state, paid = keeper.Keeper(np.zeros(1), np.zeros(1)), 0
    for t in range(n):
        state = keeper.age(state, budget, np.ones(1, bool))
        if t % every == 0 and state.c[0] < 8:
            state, paid = keeper.pay(state, np.ones(1, bool)), paid + 1
    constant = (8 + 2) / keeper.STEP + 1
    assert paid <= keeper.SHARE * n / budget + constant


def test_quiet_lowers_the_threshold_to_its_least_and_no_further() -> None:
    state = keeper.Keeper(np.zeros(1), np.zeros(1))
    assert keeper.threshold(state, 168.0)[0] == 168
    for _ in range(168 * 40):
        state = keeper.age(state, 168.0, np.ones(1, bool))
    assert keeper.threshold(state, 168.0)[0] == max(
        keeper.LEAST_PERIODS, 168 * np.exp(max(keeper.LOWEST, np.log(keeper.LEAST_PERIODS / 168)))
    )


def story(hours: int, alarms: set[int]) -> dict[int, str]:
    """What changes in which hour, of one monitor."""
    found, patience, state = {}, incidents.patience_of(Clock(1, 7 * 86_400.0)), incidents.calm(1)
    for hour in range(hours):
        state, change = incidents.happen(state, patience, np.array([hour in alarms]), np.ones(1, bool))
        if change[0]:
            found[hour] = incidents.CHANGES[change[0]]
    return found


def test_one_alarm_is_an_incident_that_resolves_after_a_quiet_day() -> None:
    assert story(60, {5}) == {5: "opened", 29: "resolved"}
    assert story(60, {5, 20}) == {5: "opened", 20: "updated", 44: "resolved"}


def test_what_still_alarms_after_two_and_a_half_days_is_the_new_normal() -> None:
    told = story(90, set(range(10, 90, 10)))
    assert told[10] == "opened"
    assert told[70] == "reanchored"
    assert told[80] == "opened", "the next alarm is an incident of its own"


def test_hours_without_rows_are_no_quiet() -> None:
    state, patience = incidents.calm(1), incidents.patience_of(Clock(1, 7 * 86_400.0))
    state, _ = incidents.happen(state, patience, np.ones(1, bool), np.ones(1, bool))
    for _ in range(100):
        state, change = incidents.happen(state, patience, np.zeros(1, bool), np.zeros(1, bool))
        assert change[0] == incidents.NOTHING
    assert state.state[0] == incidents.OPEN


def test_passing_quietly_is_what_happening_comes_to_where_nothing_happens() -> None:
    calm, judged = incidents.calm(3), np.array([True, False, True])
    after, change = incidents.happen(calm, incidents.patience_of(Clock(1, 604_800.0)), np.zeros(3, bool), judged)
    assert not change.any()
    for a, b in zip(after, incidents.pass_quietly(calm, judged), strict=True):
        assert np.array_equal(a, b)


def test_a_local_calendar_skips_an_hour_in_spring_and_has_one_twice_in_autumn() -> None:
    berlin = local("Europe/Berlin")
    spring, autumn = 1_711_843_200.0, 1_729_987_200.0
    assert utc(spring) == (0, 6)
    assert [berlin(spring + 3600 * h).hour for h in range(-1, 3)] == [0, 1, 3, 4]
    assert [berlin(autumn + 3600 * h).hour for h in range(-1, 3)] == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"histograms": ()}, "histograms must name"),
        ({"histograms": (Histogram("c", "categorical", 2),)}, "histograms must name"),
        ({"pane_seconds": 7000.0}, "pane_seconds is 7000.0: panes must divide a day"),
        ({"budget_seconds": 60.0}, "budget_seconds is 60.0"),
        ({"floor": -1.0}, "floor is -1.0"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_would(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**{"histograms": NUMERIC, **wrong})


def test_an_unknown_zone_is_refused_with_a_correct_one() -> None:
    with pytest.raises(ValueError, match="Europe/Berlin"):
        local("Berlin")
