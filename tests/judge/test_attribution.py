"""What a rise of the loss costs by segment: exact to the last digit, and right where the answer is known."""

from __future__ import annotations

import random

import pytest
from driftloop.streams.judge.incidents.attribution import Losses, loss_shares, touched

NAMES = ("north", "south", "west")


def sides(seed: int) -> tuple[dict[str, Losses], dict[str, Losses]]:
    """Any loss, any traffic; now and then a segment has none."""
    rng = random.Random(seed)
    drawn = [{n: rng.choice((0, rng.randrange(1, 900))) for n in NAMES} for _ in range(2)]
    return tuple({n: Losses(r, r * rng.uniform(0.1, 2)) for n, r in rows.items() if r} for rows in drawn)


def mean(side: dict[str, Losses]) -> float:
    return sum(s.loss for s in side.values()) / sum(s.rows for s in side.values())


def test_the_parts_of_all_segments_add_up_to_the_rise_with_nothing_left_over() -> None:
    told = 0
    for seed in range(300):
        before, since = sides(seed)
        if not before or not since or mean(since) <= mean(before):
            continue
        shares, told = loss_shares("region", NAMES, before, since), told + 1
        rise = mean(since) - mean(before)
        assert sum(s.mix + s.within for s in shares) == pytest.approx(rise, abs=1e-12)
        assert sum(s.share for s in shares) == pytest.approx(1.0, abs=1e-9)
        assert [s.share for s in shares] == sorted((s.share for s in shares), reverse=True)
        assert sum(s.traffic for s in shares) == pytest.approx(1.0)
        assert sum(s.traffic_before for s in shares) == pytest.approx(1.0)
    assert told > 100


def test_a_change_of_concept_in_one_segment_is_all_its_own() -> None:
    before = {n: Losses(1000, 300.0) for n in NAMES}
    shares = loss_shares("region", NAMES, before, before | {"south": Losses(1000, 900.0)})
    assert [(s.segment, s.share, s.mix) for s in shares] == [("south", 1.0, 0.0), ("north", 0, 0), ("west", 0, 0)]
    assert (shares[0].loss_before, shares[0].loss, shares[0].within) == (0.3, 0.9, pytest.approx(0.2))
    assert touched(shares) == pytest.approx(1 / 3)


def test_more_traffic_of_a_dear_segment_is_mix_and_nobodys_own_loss() -> None:
    before = {"north": Losses(900, 90.0), "south": Losses(100, 100.0)}
    since = {"north": Losses(500, 50.0), "south": Losses(500, 500.0)}
    shares = loss_shares("region", ("north", "south"), before, since)
    assert all(s.within == pytest.approx(0.0) for s in shares)
    assert sum(s.mix for s in shares) == pytest.approx(0.55 - 0.19)
    assert [s.segment for s in shares] == ["south", "north"]
    assert [s.mix for s in shares] == pytest.approx([0.4 * (1.0 - 0.37), -0.4 * (0.1 - 0.37)])


def test_a_segment_that_was_never_there_counts_from_the_mean() -> None:
    before = {"north": Losses(100, 50.0)}
    shares = loss_shares("region", NAMES, before, before | {"west": Losses(100, 150.0)})
    assert shares[0].segment == "west"
    assert (shares[0].traffic_before, shares[0].loss_before) == (0.0, 0.5)
    assert sum(s.share for s in shares) == pytest.approx(1.0)


def test_without_a_rise_or_without_rows_on_a_side_nothing_is_said() -> None:
    before = {"north": Losses(100, 50.0)}
    assert loss_shares("region", NAMES, before, before) == ()
    assert loss_shares("region", NAMES, before, {}) == ()
    assert loss_shares("region", NAMES, {}, before) == ()
    assert touched(()) is None


def test_touched_is_told_by_the_segmentation_that_tells_it_best() -> None:
    before = {n: Losses(1000, 300.0) for n in NAMES} | {c: Losses(1500, 450.0) for c in ("aa", "bb")}
    since = before | {"south": Losses(1000, 900.0), "aa": Losses(1500, 750.0), "bb": Losses(1500, 750.0)}
    by_region = loss_shares("region", NAMES, before, since)
    by_carrier = loss_shares("carrier", ("aa", "bb"), before, since)
    assert touched(by_carrier) == pytest.approx(1.0)
    assert touched((*by_carrier, *by_region)) == pytest.approx(1 / 3)
