"""Sums over vectors: what plain Python computes row by row, and the same whole numbers in any order and batch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftloop.schemas.baseline.basis import Basis, directions, learn_basis, seeded
from driftloop.schemas.baseline.projection import FREQUENCIES, Projection


def sums_of(projection: Projection, vectors: np.ndarray) -> dict[str, float]:
    return projection.all_sums(projection.project(vectors))


def vectors_of(seed: int, rows: int, width: int, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((rows, width)) @ np.random.default_rng(width).standard_normal((width, width))
    return (0.3 * mixed + 1.0 + shift).astype(np.float32)


@pytest.mark.parametrize("width", [2, 7, 40])
def test_the_sums_are_those_of_plain_python(width: int) -> None:
    reference, rows = vectors_of(1, 300, width), vectors_of(2, 80, width, 0.1)
    basis = learn_basis(reference)
    assert basis is not None
    found = sums_of(Projection(width, basis), rows)
    k = min(16, width)
    omega, plain = seeded("frequencies", width, FREQUENCIES).tolist(), directions(width).tolist()
    expected = dict.fromkeys(found, 0.0)
    for x in rows.tolist():
        for f in range(FREQUENCIES):
            angle = sum(x[j] * omega[j][f] for j in range(width)) / basis.bandwidth
            expected[f"cos:{f}"] += math.cos(angle)
            expected[f"sin:{f}"] += math.sin(angle)
        v = [sum(x[j] / basis.scale * plain[j][i] for j in range(width)) for i in range(k)]
        z = [sum(basis.whitening[i][m] * v[m] for m in range(k)) - basis.mean[i] for i in range(k)]
        for i in range(k):
            expected[f"first:{i}"] += z[i]
            for j in range(i, k):
                expected[f"second:{i},{j}"] += z[i] * z[j]
    for name, value in expected.items():
        allowed = {"cos": 0.0025, "sin": 0.0025, "first": 0.02, "second": 0.2}[name.split(":")[0]]
        assert abs(found[name] - value) <= allowed * len(rows), name


@pytest.mark.parametrize("width", [3, 384])
def test_no_batch_and_no_order_changes_a_unit(width: int) -> None:
    rows = vectors_of(3, 120, width)
    basis = learn_basis(rows)
    assert basis is not None
    projection = Projection(width, basis)
    whole = sums_of(projection, rows)
    shuffled = np.random.default_rng(0).permutation(rows)
    assert sums_of(projection, shuffled) == whole
    for size in (1, 7, 64):
        total = np.zeros(len(projection.units), np.int64)
        for at in range(0, len(rows), size):
            steps = projection.steps(shuffled[at : at + size])
            total += projection.sums(*projection.coordinates(steps))
        units = projection.units.values()
        assert [n * u for n, u in zip(total.tolist(), units, strict=True)] == list(whole.values())


def test_in_its_reference_the_projection_is_white() -> None:
    rows = vectors_of(4, 1_500, 40)
    basis = learn_basis(rows)
    assert basis is not None
    found = sums_of(Projection(40, basis), rows)
    for name, value in found.items():
        if name.startswith("first"):
            assert abs(value / 1_500) < 0.01
        if name.startswith("second"):
            i, j = name.split(":")[1].split(",")
            assert abs(value / 1_500 - (i == j)) < 0.02


def test_the_fourier_sums_measure_the_distance_of_two_sets() -> None:
    """Against the exact kernel sum: MMD^2 of the biased kind, over all pairs."""
    one, two = vectors_of(5, 200, 10), vectors_of(6, 200, 10, 0.8)
    basis = learn_basis(one)
    assert basis is not None
    projection = Projection(10, basis)

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        squares = ((a[:, None, :].astype(float) - b[None]) ** 2).sum(axis=2)
        return float(np.exp(-squares / (2 * basis.bandwidth**2)).mean())

    exact = kernel(one, one) + kernel(two, two) - 2 * kernel(one, two)
    means = [{n: v / 200 for n, v in sums_of(projection, x).items()} for x in (one, two)]
    names = [n for n in means[0] if n.startswith(("cos", "sin"))]
    told = sum((means[0][n] - means[1][n]) ** 2 for n in names) / FREQUENCIES
    again = vectors_of(7, 200, 10)
    same = {n: v / 200 for n, v in sums_of(projection, again).items()}
    nothing = sum((means[0][n] - same[n]) ** 2 for n in names) / FREQUENCIES
    assert told == pytest.approx(exact, rel=0.35)
    assert nothing < told / 3


def test_the_norm_has_ten_bits_so_that_rounding_is_no_drift() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((50, 384))
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    basis = learn_basis(unit)
    assert basis is not None
    projection = Projection(384, basis)
    assert set(projection.norms(projection.steps(unit)).tolist()) == {1.0}
    longer = projection.norms(projection.steps(unit * np.float32(3.5)))
    assert longer == pytest.approx(3.5, rel=2**-10)


@pytest.mark.parametrize("rows", [np.zeros((5, 4)), np.ones((1, 4)), np.full((9, 4), 1e30), np.full((9, 4), 1e-30)])
def test_vectors_that_are_all_alike_or_absurd_have_a_basis_and_finite_sums(rows: np.ndarray) -> None:
    some = rows.astype(np.float32)
    basis = learn_basis(some)
    assert basis is not None
    projection = Projection(4, basis)
    other = np.array([[3e38, -3e38, 3e38, 3e38], [0, 0, 0, 1e-40]], np.float32)
    for x in (some, other):
        assert all(map(math.isfinite, sums_of(projection, x).values()))
        assert np.isfinite(projection.norms(projection.steps(x))).all()


def test_rows_that_are_not_finite_do_not_count() -> None:
    rows = vectors_of(8, 50, 6)
    basis = learn_basis(rows)
    assert basis is not None
    holes = np.concatenate([rows, np.full((3, 6), np.nan, np.float32)])
    holes[-1, 1:] = 1.0
    assert learn_basis(holes) == basis
    assert sums_of(Projection(6, basis), holes) == sums_of(Projection(6, basis), rows)
    assert learn_basis(holes[-3:]) is None


def test_the_seeded_directions_never_change() -> None:
    """They are part of the meaning of every specification that was ever applied."""
    assert seeded("frequencies", 3, 2)[0].tolist() == pytest.approx(FIRST_FREQUENCIES, abs=0)
    assert Basis.from_json({"scale": 1, "bandwidth": 2, "mean": [0], "whitening": [[1]]}) == Basis(
        1.0, 2.0, (0.0,), ((1.0,),)
    )


FIRST_FREQUENCIES = [-0.9403768383974327, 0.4577363468239748]
