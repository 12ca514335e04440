"""Segments: declared in a few words, learned from the reference, written so that no two read alike."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from driftloop.console.monitor import keep_bins
from driftloop.schemas.baseline.reference import build_reference
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.intervals import CUTS_MOST, as_told, cuts_of, interval_codes, intervals
from driftloop.schemas.monitor.segments import SEGMENTS_MOST, Segmentation, most_frequent, segment_name, segment_value
from driftloop.schemas.monitor.specification import MonitorSpecification, compile_monitor
from hypothesis import given
from hypothesis import strategies as st

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
        ('a = ["nothing"]', "names 'nothing', which is no categorical feature and no number (age, amount, grade,"),
        ('a = ["grade", "amount"]', "names amount, a number, beside others: it is cut by itself"),
        ('a = { features = ["amount"], values = [["A"]] }', "values has no meaning for amount, a number"),
        ('a = { features = ["grade"], cuts = [1] }', "cuts has no meaning for grade, which is categorical"),
        ('a = { features = ["amount"], cuts = [] }', "has 0 cuts, not 1 to 62"),
        ('a = { features = ["amount"], cuts = [2, 1] }', "must ascend"),
        ('a = { features = ["amount"], cuts = [1, 1.0000000000001] }', "must ascend (told apart by twelve digits)"),
        ('a = { features = ["amount"], cuts = ["low"] }', "is ['low'], not a list of numbers"),
        (f'a = {{ features = ["amount"], cuts = {list(range(63))} }}', "has 63 cuts, not 1 to 62"),
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


def test_a_number_is_cut_as_the_file_says_or_at_the_quartiles_of_the_reference() -> None:
    """Two distinct numbers are cut between, one is not cut, a missing one is told apart."""
    spec = compiled(
        'told = { features = ["amount"], cuts = [-1, 2.5] }\nquarter = ["amount"]\ntwo = ["income"]\none = ["age"]'
    )
    assert spec.segments[0].segments == (
        "told=below -1",
        "told=-1 to 2.5",
        "told=2.5 and above",
        r"told=\missing",
        r"told=\other",
    )
    assert [s.values for s in spec.segments[1:]] == [None] * 3
    n = 4_001
    amount = np.random.default_rng(1).permutation(np.arange(float(n)))
    amount[amount == 7.0] = np.nan
    columns = {"amount": amount, "income": np.arange(n) % 2.0, "age": np.full(n, 30.0)}
    columns |= {name: np.full(n, None, object) for name in ("region", "grade")}
    after, _ = build_reference(
        spec, columns, np.zeros(n, np.int8), score=np.full(n, 0.5), event_time=1.6e9 + np.arange(n)
    )
    _, quarter, two, one = after.segments
    assert [v and v[0] for v in quarter.values or ()][-2:] == ["3000.25 and above", None]
    cuts = cuts_of(quarter.values or ())
    assert cuts == tuple(np.nanquantile(amount, [0.25, 0.5, 0.75]).round(2).tolist())
    counts = np.bincount(interval_codes(cuts, amount)).tolist()
    assert max(counts[:4]) - min(counts[:4]) <= 1
    assert counts[4] == 1
    assert (two.values, one.values) == ((("below 0.5",), ("0.5 and above",), (None,)), (("any",), (None,)))
    assert keep_bins(spec, after).spec == after.spec
    assert MonitorSpecification.from_json(after.to_json()) == after
    other = compile_monitor(
        SMALL.replace('amount = "numeric"', 'amount = "categorical"') + '\n[segments]\nquarter = ["amount"]', "l.toml"
    )
    assert keep_bins(other, after).segments[0].values is None, "what is a category now has no cuts"


@given(st.lists(st.floats(-1e12, 1e12).map(as_told), unique=True, min_size=1, max_size=CUTS_MOST).map(sorted))
def test_the_words_of_an_interval_say_where_it_is_cut(cuts: list[float]) -> None:
    values = intervals(cuts)
    assert cuts_of(values) == tuple(cuts)
    assert len(set(values)) == len(values) == len(cuts) + 2
    for at, cut in enumerate(cuts):
        assert interval_codes(cuts, np.array([cut, np.nextafter(cut, -np.inf)])).tolist() == [at + 1, at]
