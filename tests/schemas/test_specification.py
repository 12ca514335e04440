"""A monitor file becomes a specification, or one sentence that says where it is wrong and how it is right."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.monitor.season import Season
from driftloop.schemas.monitor.specification import MonitorSpecification, RetrainPolicy, compile_monitor, label_code

SMALL = (Path(__file__).parents[1] / "data" / "small.toml").read_text()
LEAST = """
model = "m"
classes = ["no", "yes"]
features = { x = "numeric" }
time = { horizon = "3 d" }
"""


def test_the_small_file_compiles_to_what_it_says() -> None:
    spec = compile_monitor(SMALL, "small.toml")
    assert (spec.model, spec.classes) == ("loans", ("repaid", "default"))
    assert [(f.name, f.field, f.kind, f.bins) for f in spec.features] == [
        ("amount", "f_amount", "numeric", 0),
        ("income", "f_income", "numeric", 0),
        ("age", "f_age", "numeric", 0),
        ("grade", "f_grade", "categorical", 0),
    ]
    assert (spec.horizon_seconds, spec.disorder_seconds, spec.idle_after_seconds) == (172_800, 600, 21_600)
    assert spec.delay_edges_seconds == (3_600, 21_600, 86_400, 172_800)
    assert spec.budget_seconds == 604_800
    assert spec.retrain.mode == "automatic"
    assert spec.retrain.holdout_seconds == 172_800


def test_what_is_left_out_has_a_default() -> None:
    spec = compile_monitor(LEAST, "least.toml")
    assert (spec.task, spec.pane_seconds, spec.window_seconds, spec.dedup_seconds) == (
        "binary",
        3_600,
        86_400,
        86_400,
    )
    assert spec.retrain == RetrainPolicy()


def test_canonical_json_comes_back_and_names_the_specification() -> None:
    spec = compile_monitor(SMALL, "small.toml")
    assert MonitorSpecification.from_json(spec.to_json()) == spec
    assert len(spec.spec) == 16
    assert compile_monitor("# a remark\n" + SMALL, "elsewhere.toml").spec == spec.spec
    assert replace(spec, minimum_rows=51).spec != spec.spec


def test_bins_are_added_by_name_and_change_the_name_of_the_specification() -> None:
    spec = compile_monitor(SMALL, "small.toml")
    binned = spec.with_bins({"age": [18, 30], "amount": [1], "income": []}, {"grade": ["A", "B"]})
    assert [f.bins for f in binned.features] == [3, 2, 4, 4]
    assert (spec.has_bins, binned.has_bins) == (False, True)
    assert binned.spec != spec.spec
    assert binned.with_bins({"age": [21]}, {}).features[3] == binned.features[3]
    assert MonitorSpecification.from_json(binned.to_json()) == binned
    assert replace(binned, minimum_rows=1).bins_hash == binned.bins_hash != spec.bins_hash


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"features": 1}', '{"features": [], "classes": [], "retrain": {"x": 1}}']
)
def test_what_is_no_specification_is_a_bad_record(text: str) -> None:
    with pytest.raises(BadRecord) as caught:
        MonitorSpecification.from_json(text)
    assert caught.value.reason == "bad-specification"


@pytest.mark.parametrize("wrong", [None, "1 h", [], math.nan, pytest.param(10**400, id="no double")])
@pytest.mark.parametrize("name", ["pane_seconds", "disorder_seconds", "dedup_seconds", "offset_seconds"])
def test_a_time_that_is_no_number_is_a_bad_record_and_not_the_end_of_every_worker(name: str, wrong: object) -> None:
    told = json.loads(compile_monitor(SMALL, "small.toml").to_json()) | {name: wrong}
    with pytest.raises(BadRecord, match="this is no monitor specification"):
        MonitorSpecification.from_json(json.dumps(told))


@pytest.mark.parametrize(
    ("instead_of", "written", "line", "said"),
    [
        ('model = "loans"', "", 1, "model is missing"),
        ('model = "loans"', "model = 5", 2, "model is 5, not a text"),
        ('model = "loans"', 'model = "a/b"', 2, "not up to 100 letters"),
        ('task = "binary"', 'task = "regression"', 4, "has no meaning for a regression"),
        ('task = "binary"', 'task = "multiclass"', 26, "trainers know binary models alone"),
        ('task = "binary"', 'task = "art"', 3, "not one of binary, multiclass, regression"),
        ("[features]", "[label]\nscale = 1.0\n[features]", 6, "has no meaning for task binary"),
        ('task = "binary"', 'task = "binary"\nvalue = { most = 0 }', 4, "not a number from 1e-09"),
        ('["repaid", "default"]', '["repaid", "default", "late"]', 4, "names 3 classes, not two"),
        ('["repaid", "default"]', '["repaid"]', 4, "names 1 classes, not two"),
        ('["repaid", "default"]', '["a", "a"]', 4, "names the same thing twice"),
        ('["repaid", "default"]', "[0, 1]", 4, "not a list of texts"),
        ('age = "numeric"', 'age = "number"', 9, "features.age is 'number', not one of numeric, categorical"),
        ('age = "numeric"', "age = 5", 9, "features.age is 5, not a table"),
        (
            'age = "numeric"',
            '"am-ount" = "numeric"\n"am.ount" = "numeric"',
            10,
            "would be f_am_ount on the wire, as am-ount",
        ),
        ('age = "numeric"', 'age = { kind = "numeric", edges = [3, 2] }', 9, "must be finite and ascend"),
        ('age = "numeric"', 'age = { kind = "numeric", edges = [2, inf] }', 9, "must be finite and ascend"),
        ('age = "numeric"', 'age = { kind = "numeric", edges = ["2"] }', 9, "not a list of numbers"),
        (
            'age = "numeric"',
            'age = { kind = "numeric", categories = ["2"] }',
            9,
            "features.age.categories is not known",
        ),
        ('age = "numeric"', "age = { }", 9, "features.age.kind is missing"),
        ('horizon = "2 d"', "", 12, "time.horizon is missing"),
        ('horizon = "2 d"', 'horizon = "2"', 13, "not a duration with its unit"),
        ('horizon = "2 d"', "horizon = 2", 13, "not a duration with its unit"),
        ('horizon = "2 d"', 'horizon = "0 s"', 13, "time.horizon is '0 s'"),
        ('window = "1 d"', 'window = "90 min"', 17, "not a whole number of panes"),
        ('window = "1 d"', 'window = "30 min"', 17, "not a whole number of panes"),
        ('offset = "0 s"', 'offset = "1 d"', 18, "not shorter than the window"),
        ('offset = "0 s"', 'ofset = "0 s"', 18, "time.ofset is not known here"),
        ('budget = "1 per week"', 'budget = "weekly"', 22, "not a number of false alarms per"),
        ('budget = "1 per week"', 'budget = "0 per week"', 22, "not a number of false alarms per"),
        ("minimum_rows = 50", "minimum_rows = 0", 23, "not a whole number from 1"),
        ("minimum_rows = 50", "minimum_rows = true", 23, "not a whole number from 1"),
        ("minimum_rows = 50", "hold = 0", 23, "not a whole number from 1 to 1000"),
        ('mode = "automatic"', 'mode = "auto"', 26, "not one of observe, propose, automatic"),
        ('trainer = "driftloop.retrainer.river_trainer:train"', "", 25, "retrain.trainer is missing"),
        ("driftloop.retrainer.river_trainer:train", "river_trainer.train", 27, "not module:function"),
        ("label_growth = 1.35", "label_growth = 1.0", 28, "not a number from 1.01"),
        ("[alarms]", "[alarm]", 21, "alarm is not known here"),
        ("seed = 7", "seed = = 7", 35, "this is no TOML"),
        ("seed = 7", 'seed = "7', 35, "this is no TOML"),
    ],
)
def test_a_mistake_is_told_with_line_reason_and_example(instead_of: str, written: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_monitor(SMALL.replace(instead_of, written, 1), "loans.toml")
    assert caught.value.message.startswith(f"loans.toml:{line}: ")
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("season", "line", "said"),
    [
        ('zone = "Europe/Berlyn"', 22, "season.zone is 'Europe/Berlyn', which is no time zone"),
        ("zone = 1", 22, "season.zone is 1, not a text"),
        ('zone = "../UTC"', 22, "which is no time zone that this machine knows"),
        ('holidays = "2026-12-25"', 22, "season.holidays is '2026-12-25', not a list of at most 1000 dates"),
        ('holidays = ["2026-02-29"]', 22, "season.holidays has '2026-02-29', which is no date such as 2026-12-25"),
        ('holidays = ["20261225"]', 22, "has '20261225', which is no date"),
        ("holidays = [2026-12-25T00:00:00]", 22, "which is no date"),
        ("holiday = []", 22, "season.holiday is not known here"),
        ('by = "month"', 22, "season.by is 'month', not one of hour of week, hour of day, day of week"),
        ('by = "hour of day"', 22, "season.by is 'hour of day', and time.window is a day"),
    ],
)
def test_a_mistake_in_the_season_is_told_as_well(season: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_monitor(SMALL.replace("[alarms]", f"[season]\n{season}\n[alarms]"), "loans.toml")
    assert caught.value.message.startswith(f"loans.toml:{line}: ")
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("instead_of", "written", "said"),
    [
        ('window = "1 d"', 'window = "36 h"', "time.window does not divide a day"),
        ('window = "1 d"', 'window = "1 w"', "time.window does not divide a day"),
        ('budget = "1 per week"', 'budget = "2 per day"', "cannot be told from drift within the alarms.budget"),
    ],
)
def test_a_season_wants_windows_of_a_day_or_less_and_a_budget(instead_of: str, written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"loans\.toml:39: season ") as caught:
        compile_monitor(SMALL.replace(instead_of, written) + "\n[season]\n", "loans.toml")
    assert said in caught.value.message


def test_a_season_is_a_zone_and_holidays_and_without_one_nothing_is_different() -> None:
    bare = compile_monitor(SMALL, "loans.toml")
    assert bare.season is None
    assert '"season"' not in bare.to_json()
    written = '[season]\nzone = "Europe/Berlin"\nholidays = ["2027-01-01", 2026-12-25, "2026-12-25"]\n'
    spec = compile_monitor(f"{SMALL}\n{written}", "loans.toml")
    assert spec.season == Season("Europe/Berlin", ("2026-12-25", "2027-01-01"))
    assert MonitorSpecification.from_json(spec.to_json()) == spec
    assert (spec.spec != bare.spec, spec.bins_hash) == (True, bare.bins_hash)
    assert compile_monitor(f"{SMALL}\n[season]\n", "loans.toml").season == Season("UTC", ())


def test_a_close_name_is_offered() -> None:
    with pytest.raises(ConfigError, match=r"for example  disorder = \.\.\."):
        compile_monitor(SMALL.replace("disorder", "disoder"), "loans.toml")


def test_every_example_in_a_hint_is_itself_correct() -> None:
    wrong = [
        ('horizon = "2 d"', "horizon = 1"),
        ('pane = "1 h"', "pane = 1"),
        ('idle_after = "6 h"', "idle_after = 1"),
        ('budget = "1 per week"', "budget = 1"),
        ("minimum_rows = 50", "minimum_rows = 0"),
        ('gate = "no_harm"', "gate = 1"),
        ('cooldown = "1 d"', "cooldown = 1"),
        ("rows_most = 50000", "rows_most = 1"),
        ('holdout = "2 d"', "holdout = 2"),
        ('time_limit = "2 min"', "time_limit = 2"),
        ("memory_limit_mb = 1024", "memory_limit_mb = 1"),
    ]
    for right, broken in wrong:
        with pytest.raises(ConfigError) as caught:
            compile_monitor(SMALL.replace(right, broken, 1), "loans.toml")
        compile_monitor(SMALL.replace(right, caught.value.hint.removeprefix("for example  "), 1), "loans.toml")


@pytest.mark.parametrize(
    ("label", "classes", "code"),
    [
        ("default", ("repaid", "default"), 1),
        ("Default", ("repaid", "default"), -1),
        (None, ("repaid", "default"), -1),
        (0, ("repaid", "default"), 0),
        (1.0, ("repaid", "default"), 1),
        (True, ("repaid", "default"), 1),
        (2, ("repaid", "default"), -1),
        (0.5, ("repaid", "default"), -1),
        (float("nan"), ("repaid", "default"), -1),
        (float("inf"), ("repaid", "default"), -1),
        (1, ("1", "0"), 0),
        (0.0, ("1", "0"), 1),
        (2, ("1", "2"), 1),
        (0, ("1", "2"), -1),
        (True, ("1", "0"), 1),
        (True, ("true", "false"), 0),
        ("1", ("no", "yes"), -1),
    ],
)
def test_a_label_names_a_class(label: object, classes: tuple[str, str], code: int) -> None:
    assert label_code(label, classes) == code
