"""Library versions: another release series is refused, another release is told."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from driftloop.artefacts import libraries
from driftloop.artefacts.libraries import check_libraries, versions_of
from driftloop.artefacts.loader import load
from driftloop.schemas.errors import BadRecord

HERE = {"numpy": "2.4.6", "scikit-learn": "1.9.1", "river": "0.26.1"}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "_installed", HERE.get)


@pytest.mark.parametrize(
    ("name", "recorded"),
    [("numpy", "1.26.4"), ("numpy", "3.0.0"), ("scikit-learn", "2.0"), ("river", "0.25.0"), ("river", "1.0.0")],
)
def test_another_release_series_is_refused(name: str, recorded: str) -> None:
    with pytest.raises(BadRecord, match=rf"{name} {recorded}, here is {HERE[name]}.*\n.*pip install") as info:
        check_libraries({name: recorded})
    assert info.value.reason == "library-mismatch"


def test_a_library_that_is_not_here_is_refused() -> None:
    with pytest.raises(BadRecord, match=r"lightgbm 4.0, which is not installed"):
        check_libraries({"lightgbm": "4.0"})


def test_another_release_of_the_same_series_is_told() -> None:
    assert check_libraries(HERE) == []
    told = check_libraries({"numpy": "2.3.0", "river": "0.26.0", "scikit-learn": "1.9.1"})
    assert told == [
        "the model was made with numpy 2.3.0, here is 2.4.6",
        "the model was made with river 0.26.0, here is 0.26.1",
    ]


def test_an_upgrade_of_driftloop_stops_no_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "_installed", {"driftloop": "0.9.0"}.get)
    assert check_libraries({"driftloop": "0.1.0"}) == ["the model was made with driftloop 0.1.0, here is 0.9.0"]


def test_python_2_made_it_and_python_3_reads_it_is_refused_but_a_minor_version_is_silent() -> None:
    assert check_libraries({"python": "3.99.0"}) == []
    with pytest.raises(BadRecord, match=r"made with python 2.7.18"):
        check_libraries({"python": "2.7.18"})


def test_a_module_is_recorded_by_the_name_one_installs() -> None:
    found = versions_of(["sklearn.linear_model._logistic", "numpy", "builtins", "collections"])
    assert found.pop("python")
    assert found == {"numpy": "2.4.6", "scikit-learn": "1.9.1"}


def test_the_loader_checks_before_it_unpickles_and_logs_what_differs(
    shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BadRecord, match=r"numpy 1.0"):
        load(shop.publish(b"not even a pickle", libraries={"numpy": "1.0"}), shop.store, shop.trusted)
    with (
        caplog.at_level(logging.WARNING, "driftloop.artefacts"),
        pytest.raises(BadRecord, match="cannot be unpickled"),
    ):
        load(shop.publish(b"not even a pickle", libraries={"numpy": "2.0"}), shop.store, shop.trusted)
    assert caplog.messages == ["flights v2: the model was made with numpy 2.0, here is 2.4.6"]
