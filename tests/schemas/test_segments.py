"""Segments: declared in a few words, learned from the reference, written so that no two read alike."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from driftloop.console.monitor import keep_bins
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.reference import build_reference
from driftloop.schemas.segments import SEGMENTS_MOST, Segmentation, most_frequent, segment_name, segment_value
from driftloop.schemas.specification import MonitorSpecification, compile_monitor

SMALL = (Path(__file__).parents[1] / "data" / "small.toml").read_text().replace(
    'grade = "categorical"', 'grade = "categorical"\nregion = "categorical"'
)  # fmt: skip


def compiled(lines: str) -> MonitorSpecification:
    return compile_monitor(SMALL + "\n[segments]\n" + lines, "loans.toml")


def test_a_list_of_features_is_learned_and_a_table_may_name_the_combinations() -> None:
    spec = compiled('both = ["region", "grade"]\nonly = { features = ["grade"], values = [["A"], ["B"]] }')
    assert spec.segments == (
        Segmentation("both", ("region", "grade"), None),
        Segmentation("only", ("grade",), (("A",), ("B",))),
    )
    assert MonitorSpecification.from_json(spec.to_json()) == spec
    assert spec.spec != compile_monitor(SMALL, "loans.toml").spec


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('a = ["amount"]', "names 'amount', which is no categorical feature (grade, region)"),
        ('a = ["nothing"]', "names 'nothing', which is no categorical feature"),
        ("a = []", "names 0 features, not 1 to 4"),
        ('a = ["grade", "grade"]', "names the same thing twice"),
        ('a = "grade"', "not a list of texts"),
        ('"a=b" = ["grade"]', "is no name"),
        ("a = { }", "segments.a.features is missing"),
        ('a = { features = ["grade"], values = [] }', "has 0 combinations"),
        ('a = { features = ["grade"], values = ["A"] }', "not a list of lists of 1 texts"),
        ('a = { features = ["grade"], values = [["A", "B"]] }', "not a list of lists of 1 texts"),
        ('a = { features = ["grade"], values = [["A"], ["A"]] }', "names the same combination twice"),
        ('a = { features = ["grade"], value = [["A"]] }', "segments.a.value is not known here"),
        (f'a = {{ features = ["grade"], values = {[[str(i)] for i in range(65)]} }}', "has 65 combinations"),
        ("\n".join(f'a{i} = ["grade"]' for i in range(9)), "segments.a8 is one too many: at most 8"),
    ],
)
def test_a_mistake_is_told(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compiled(line)
    assert said in caught.value.message
    assert caught.value.message.startswith("loans.toml:")


def test_no_two_segments_are_written_alike_and_each_can_be_read_back() -> None:
    texts = ["", "a", "|", "\\", "\\missing", "\\other", "a|b", "\\|", "=", "é\n", None]
    written = {}
    for width in (1, 2, 3):
        for value in itertools.product(texts, repeat=width):
            name = segment_name("x", value)
            assert written.setdefault(name, value) == value
            assert segment_value(name) == ("x", value)
    assert segment_value("x=\\other") == ("x", None)
    assert "x=\\other" not in written


def test_the_reference_finds_the_most_frequent_combinations_and_missing_is_a_value() -> None:
    rng = np.random.default_rng(4)
    n = 5_000
    region = np.array([None if r < 20 else f"r{r % 97:02}" for r in rng.integers(0, 97, n)], object)
    grade = rng.choice(np.array(["A", "B", None], object), n)
    spec = compiled('both = ["region", "grade"]\nonly = { features = ["grade"], values = [["Z"]] }')
    numbers = {name: rng.random(n) for name in ("amount", "income", "age")}
    after, baselines = build_reference(
        spec,
        {**numbers, "region": region, "grade": grade},
        np.zeros(n, np.int8),
        score=rng.random(n),
        event_time=1.6e9 + np.arange(n),
    )
    counts = Counter(zip(region.tolist(), grade.tolist(), strict=True))
    both, only = after.segments
    assert len(both.values or ()) == SEGMENTS_MOST < len(counts)
    least = min(counts[value] for value in both.values or ())
    assert least >= max(n for value, n in counts.items() if value not in both.codes)
    assert {value for value, _ in counts.most_common(3)} == {(None, g) for g in ("A", "B", None)} <= set(both.codes)
    assert only.values == (("Z",),), "what the file has told stays"
    assert baselines.bins_fit(after)
    again = keep_bins(spec, after)
    assert again.spec == after.spec, "applied anew, the file keeps what the reference has found"


def test_ties_are_broken_by_name_so_that_a_reference_is_reproducible() -> None:
    column = np.array(["b", None, "a", "a", "b", None, "c"], object)
    assert most_frequent([column]) == ((None,), ("a",), ("b",), ("c",))
