"""The [quality] of a monitor file: what it says, its mistakes told, and what becomes of bin edges."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.quality import FeatureRules, QualityRules
from driftloop.schemas.monitor.specification import MonitorSpecification, compile_monitor

SMALL = (Path(__file__).parent.parent / "data" / "small.toml").read_text()
EVERYTHING = """
[quality]
missing = 0.05
unseen = 0.02
type = 0.01
duplicates = 0.02
out_of_range = 0.01
volume = [100, 100000]
freshness = "2 h"
labels = "2 d"
off = ["freshness"]
confirm = "2 of 3"

[quality.features.amount]
missing = 0.2
range = [0.0, 1e6]
"""


def test_every_key_is_read_and_comes_back_from_the_canonical_json() -> None:
    spec = compile_monitor(SMALL + EVERYTHING, "loans.toml")
    assert spec.quality == QualityRules(
        off=("freshness",),
        missing=0.05,
        out_of_range=0.01,
        unseen=0.02,
        type=0.01,
        duplicates=0.02,
        volume_least=100.0,
        volume_most=100_000.0,
        freshness_seconds=7_200.0,
        features=(FeatureRules("amount", missing=0.2, low=0.0, high=1e6),),
        labels_seconds=172_800.0,
        confirm=(2, 3),
    )
    assert MonitorSpecification.from_json(spec.to_json()) == spec


def test_who_says_nothing_keeps_the_name_of_the_specification() -> None:
    spec = compile_monitor(SMALL, "loans.toml")
    assert spec.quality is None
    assert '"quality"' not in spec.to_json()
    assert replace(spec, quality=QualityRules()).spec != spec.spec


def test_a_rule_that_came_later_changes_no_name_of_a_specification_that_does_not_set_it() -> None:
    before = EVERYTHING.replace('labels = "2 d"', "").replace('confirm = "2 of 3"', "")
    spec = compile_monitor(SMALL + before, "loans.toml")
    assert not [name for name in ("labels_seconds", "confirm", "hold") if f'"{name}"' in spec.to_json()]
    assert MonitorSpecification.from_json(spec.to_json()) == spec
    as_usual = before.replace("[quality]", '[quality]\nconfirm = "1 of 1"', 1)
    assert compile_monitor(SMALL.replace("[alarms]", "[alarms]\nhold = 2") + as_usual, "loans.toml").spec == spec.spec


def test_the_limits_of_a_range_become_bin_edges() -> None:
    spec = compile_monitor(SMALL + EVERYTHING, "loans.toml")
    amount = next(f for f in spec.with_bins({"amount": [10.0, 20.0]}, {}).features if f.name == "amount")
    assert amount.edges == (0.0, 10.0, 20.0, math.nextafter(1e6, math.inf))
    told = SMALL.replace('amount = "numeric"', 'amount = { kind = "numeric", edges = [5] }')
    amount = next(f for f in compile_monitor(told + EVERYTHING, "loans.toml").features if f.name == "amount")
    assert amount.edges == (0.0, 5.0, math.nextafter(1e6, math.inf))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("missing = 2", "quality.missing is 2, not a number from 0 to 1"),
        ('missing = "5 %"', "quality.missing is '5 %', not a number"),
        ("mising = 0.1", "quality.mising is not known here"),
        ("volume = [5]", "quality.volume is [5], not two numbers that ascend"),
        ("volume = [5, 5]", "not two numbers that ascend"),
        ('volume = "many"', "not two numbers that ascend"),
        ("freshness = 2", "not a duration with its unit"),
        ('confirm = "3 of 2"', "quality.confirm is '3 of 2', not N of the last M windows"),
        ('confirm = "0 of 2"', "not N of the last M windows"),
        ('confirm = "twice"', "not N of the last M windows"),
        ('off = ["nulls"]', "names 'nulls', which is no rule (missing, out_of_range, unseen"),
        (
            "features = { colour = { missing = 0.1 } }",
            "quality.features.colour is no feature of this monitor (amount",
        ),
        ("features = { amount = { range = [1, 0] } }", "quality.features.amount.range is [1, 0]"),
        ("features = { amount = { unseen = 0.1 } }", "has no meaning for a feature that is numeric"),
        ("features = { grade = { range = [0, 1] } }", "has no meaning for a feature that is categorical"),
        ("features = { grade = { missing = -1 } }", "not a number from 0 to 1"),
    ],
)
def test_a_mistake_is_told_with_line_reason_and_example(written: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_monitor(f"{SMALL}\n[quality]\n{written}\n", "loans.toml")
    assert caught.value.message.startswith(f"loans.toml:{len(SMALL.splitlines()) + 3}: ")
    assert said in caught.value.message
    assert caught.value.hint.startswith("for example  ")
