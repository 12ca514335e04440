"""[[detector]] tables become part of the specification, or one sentence that says where they are wrong."""

from __future__ import annotations

import pytest
from driftloop.console.detectors import check_detectors
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.detectors_file import METRICS
from driftloop.schemas.monitor.named_detector import NamedDetector
from driftloop.schemas.monitor.specification import MonitorSpecification, compile_monitor

FILE = """model = "m"
classes = ["no", "yes"]
[features]
amount = "numeric"
grade = "categorical"
[time]
horizon = "3 d"

[[detector]]
name = "loss by ADWIN"
watch = "loss"
use = "adwin"
settings = { delta = 0.01 }

[[detector]]
name = "amount by river"
watch = "feature:amount"
use = "river:ADWIN"
paging = true
[detector.settings]
clock = 8
"""


def test_detectors_are_compiled_and_come_back_from_the_topic() -> None:
    spec = compile_monitor(FILE, "m.toml")
    assert spec.detectors == (
        NamedDetector("loss by ADWIN", "loss", "adwin", (("delta", 0.01),)),
        NamedDetector("amount by river", "feature:amount", "river:ADWIN", (("clock", 8),), paging=True),
    )
    assert MonitorSpecification.from_json(spec.to_json()) == spec
    plain = compile_monitor(FILE[: FILE.index("[[")], "m.toml")
    assert "detectors" not in plain.to_json()
    assert plain.spec != spec.spec
    check_detectors(spec, FILE, "m.toml", ())


@pytest.mark.parametrize(
    ("instead_of", "written", "line", "said"),
    [
        ('"feature:amount"', '"feature:amuont"', 17, "detector.2.watch names 'amuont', which is no feature"),
        ('"feature:amount"', '"feature:grade"', 17, "a categorical feature has no mean"),
        ('"feature:amount"', '"unseen:amount"', 17, "but amount is numeric"),
        ('"feature:amount"', '"losses"', 17, "not one of loss, error, predictions, score, feature:<name>"),
        ('"feature:amount"', '"loss:amount"', 17, "not one of loss"),
        ('"feature:amount"', '"metric:mae"', 17, "names 'mae', no metric of binary (accuracy,"),
        ("paging = true", 'paging = "yes"', 19, "detector.2.paging is 'yes', not true or false"),
        ("clock = 8", "clock = [8]", 21, "detector.2.settings.clock is [8], not a number, a text"),
        ("amount by river", "loss by ADWIN", 16, "as that of another detector is"),
        ("amount by river", "seasonal", 16, "none of e_detector"),
        ("amount by river", "data_quality: mine", 16, "none of e_detector"),
        ('use = "adwin"', "", 9, "detector.1.use is missing"),
        ('use = "adwin"', 'use = "adwin 2"', 12, "no name, river:<class> or module:function"),
        ('use = "adwin"', 'use = "adwin"\nevery = 1', 13, "detector.1.every is not known here"),
        ("[[detector]]", "[detector]", 9, "detector is {"),
    ],
)
def test_a_mistake_is_told_with_line_reason_and_example(instead_of: str, written: str, line: int, said: str) -> None:
    text = FILE.replace(instead_of, written, 1)
    text = text if written != "[detector]" else text[: text.index("[[")]
    with pytest.raises(ConfigError) as caught:
        compile_monitor(text, "m.toml")
    assert caught.value.message.startswith(f"m.toml:{line}: ")
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("instead_of", "written", "line", "said", "way_out"),
    [
        ('"adwin"', '"adwim"', 12, "is no detector here: 'adwim' is none of", 'use = "adwin"'),
        ('"river:ADWIN"', '"river:Adwin"', 18, "river has no drift detector 'Adwin'", "river:ADWIN"),
        ("delta = 0.01", "dleta = 0.01", 13, "do not suit adwin: TypeError", "settings ="),
        ("clock = 8", 'clock = "8"', 20, "do not suit river:ADWIN", "settings ="),
        ('"adwin"', '"os:system"', 12, "os is not allowed to be imported", "DRIFTLOOP_DETECTORS=os"),
    ],
)
def test_what_cannot_be_started_is_refused_before_it_is_applied(
    instead_of: str, written: str, line: int, said: str, way_out: str
) -> None:
    text = FILE.replace(instead_of, written, 1)
    with pytest.raises(ConfigError) as caught:
        check_detectors(compile_monitor(text, "m.toml"), text, "m.toml", ())
    assert caught.value.message.startswith(f"m.toml:{line}: detector.")
    assert said in caught.value.message
    assert way_out in caught.value.hint


def test_a_regression_has_its_own_metrics() -> None:
    text = FILE.replace('classes = ["no", "yes"]', 'task = "regression"')
    text = text.replace('"loss"', '"metric:quantile_loss:0.9"')
    assert compile_monitor(text, "m.toml").detectors[0].series == ("metric", "quantile_loss:0.9")
    with pytest.raises(ConfigError, match="watch is 'error', which a regression does not have"):
        compile_monitor(text.replace('"metric:quantile_loss:0.9"', '"error"'), "m.toml")
    assert set(METRICS["regression"]) == {"bias", "mae", "rmse", "value"}
