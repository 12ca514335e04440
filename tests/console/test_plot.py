"""The page of a replay: what it draws lies where the events say, names cannot run, it stays readable and small."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from driftloop.console.plot import told as shown
from driftloop.console.plot.axes import COLUMNS, LEFT, RIGHT, WIDTH, Span, thinned
from driftloop.console.plot.page import FEATURES_MOST, page
from driftloop.console.replay.pipeline import Event, Told
from driftloop.console.replay.report import Replayed, sensitivities
from driftloop.console.replay.verdict import Verdict
from driftloop.schemas.events import (
    DecisionRecorded,
    DriftDetected,
    Estimate,
    FeatureDrift,
    IncidentChanged,
    WindowMeasured,
)
from driftloop.schemas.events import TestState as State

from .test_replay import HOUR, LOANS, START

EVIL = "<script>alert(1)</script>&amp;\"' onload=x"
VOID = {"meta"}


class Read(HTMLParser):
    """The page as a browser's parser sees it: (tag, attributes, all text below) of every element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)
        assert not self.open, "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = (tag, dict(attrs), [])
        self.found.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, _, texts in self.open:
            texts.append(data)

    def all(self, tag: str, class_: str | None = None) -> list[tuple[dict[str, str | None], str]]:
        return [(a, "".join(t)) for name, a, t in self.found if name == tag and class_ in (None, a.get("class"))]


def feature(name: str, evidence: float) -> FeatureDrift:
    return FeatureDrift(name, "numeric", 50, 0.0, 0.0, 0.1, 0.1, 0.5, "sd", evidence)


def window(hour: int, features: dict[str, float], status: str = "OK", loss: float = 0.5) -> WindowMeasured:
    start, end = START + hour * HOUR, START + (hour + 1) * HOUR
    told = tuple(feature(name, evidence) for name, evidence in features.items())
    tests = (State("e_detector", 2.0, 100.0, 1, False), State("window_csr", 3.0, math.e**4, 1, False))
    return WindowMeasured(
        "loans", "v1", "champion", "s", "r", start, HOUR, "labels", 1, end, status,
        EVIL, 50, 50, 1.0, 1.0, {"log_loss": Estimate(loss, loss - 0.1, loss + 0.1, 50)}, told, tests,
    )  # fmt: skip


def incident(change: str, hour: int, opened: int) -> IncidentChanged:
    times = START + opened * HOUR, START + hour * HOUR
    return IncidentChanged("loans", "v1", "s", "i1", "performance", change, *times, f"worse: {EVIL}")


def replayed(events: list[Event], live: list[Event] | None = None) -> Replayed:
    told = tuple(Told(event, b"") for event in events)
    verdict = None if live is not None else Verdict("", "ab" * 32, 3, 2, 0)
    return Replayed(LOANS, live is None, 99, 1.0, 0, told, (), verdict, tuple(Told(e, b"") for e in live or []))


def test_blocks_and_figures_lie_where_the_events_say() -> None:
    drift = DriftDetected("loans", "v1", "s", START, START, HOUR, "window_csr", "b", 9.0, 4.0, 0.3, "sd", True)
    windows = [window(h, {"a": 1.0, "b": 2.0 + (h == 3)}, "DRIFT" if 4 <= h < 6 else "OK") for h in range(10)]
    own = replace(drift, detector="my adwin", window_start=START + 8 * HOUR)
    found = replayed([*windows, drift, own, incident("opened", 4, 4), incident("resolved", 7, 4)])
    run = DecisionRecorded("loans", "started", START + 5 * HOUR, "run", "incident", True, "because")
    read = Read(page(found._replace(trainings=(run,))))

    def x(hour: float) -> float:
        return LEFT + hour / 10 * (WIDTH - LEFT - RIGHT)

    def spans(class_: str) -> list[tuple[float, float]]:
        blocks = [a for a, _ in read.all("rect", class_) if "x" in a]
        return [(float(a["x"] or 0), float(a["x"] or 0) + float(a["width"] or 0)) for a in blocks]

    assert spans("OK") == [pytest.approx((x(0), x(4)), abs=0.1), pytest.approx((x(6), x(10)), abs=0.1)]
    assert spans("DRIFT") == [pytest.approx((x(4), x(6)), abs=0.1), pytest.approx((x(8), x(9)), abs=0.1)]
    assert "my adwinmy adwin" in [text for _, text in read.all("text", "name")]
    assert spans("incident") == [pytest.approx((x(4), x(7)), abs=0.1)]
    assert spans("training")[0][0] == pytest.approx(x(5), abs=0.1)
    texts = [text for _, text in read.all("text")]
    assert f"allowed {10 * HOUR / LOANS.budget_seconds:.1f}" in texts
    assert "alarm at 4" in texts
    assert [t for t in texts if t[:1] in "ab" and len(t) == 2] == ["bb", "aa"], (
        "strongest first, told in full on hover"
    )
    assert [t for _, t in read.all("text", "figure hot") if "sd" in t] == ["3, +0.50 sd"], "an alarm named b"
    cells = [text for _, text in read.all("td")]
    assert cells[:4] == ["replay", "1", "performance", "2020-09-14T04:00:00.000Z"]
    assert any("identical: 3 windows" in text for _, text in read.all("p"))


def test_a_test_is_drawn_when_it_was_known_up_to_what_it_reached() -> None:
    """The last revision of a window comes when its labels are in: the features' test is windows further by then, and
    one that has alarmed has begun anew. The line shows neither: it rises to its alarm, and falls in that instant."""

    def told(hour: int, as_of: int, loss: float, inputs: float) -> WindowMeasured:
        tests = (State("e_detector", loss, 100.0, 1, False), State("window_csr", inputs, 50.0, 1, False))
        return replace(window(hour, {"a": 1.0}), as_of=START + as_of * HOUR, tests=tests)

    alarm = DriftDetected(
        "loans", "v1", "s", START + 3 * HOUR, START, HOUR, "e_detector", "", 400.0, 100.0, 0.3, "nats", True
    )
    of_b = replace(alarm, detector="window_csr", feature="b", statistic=90.0, threshold=50.0)
    events: list[Event] = [told(0, 1, 2, 3), told(1, 2, 80, 40), alarm, of_b, told(0, 3, 1, 1), told(1, 4, 7, 8)]
    found = {
        name: [(round((time - START) / HOUR), round(math.exp(log)), round(math.exp(at))) for time, log, at in points]
        for name, points in shown.tests_of(shown.side_of("replay", [Told(event, b"") for event in events])).items()
    }
    assert found["e_detector"] == [(1, 2, 100), (2, 80, 100), (3, 400, 100), (4, 7, 100)]
    assert found["window_csr"] == [(1, 3, 50), (2, 40, 50), (3, 50, 50), (4, 8, 50)], "what all reached is not told"


def test_a_name_cannot_run_and_nothing_is_fetched() -> None:
    windows = [window(h, {EVIL: 1.0}) for h in range(5)]
    found = replayed([*windows, incident("opened", 2, 2)])
    named = found._replace(specification=replace(LOANS, model=EVIL))
    text = page(named)
    read = Read(text)
    tags = {tag for tag, _, _ in read.found}
    assert not tags & {"script", "img", "link", "iframe", "object", "a", "image", "use", "foreignobject"}
    names = {name for _, attributes, _ in read.found for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in ("href", "src", "xlink:href")]
    policy = next(a["content"] for a, _ in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert read.all("h1")[0][1] == f"Replay of {EVIL}"
    assert any(EVIL in text for _, text in read.all("td"))
    assert "url(" not in text
    assert page(named) == text, "the same replay, the same bytes"


def test_every_picture_says_in_words_what_it_shows() -> None:
    read = Read(page(replayed([window(h, {"a": 1.0}) for h in range(5)], [window(h, {"a": 2.0}) for h in range(5)])))
    ids = {a["id"]: text for tag in ("title", "desc") for a, text in read.all(tag) if "id" in a}
    pictures = [a for a, _ in read.all("svg") if a.get("role") == "img"]
    assert len(pictures) == 6, "windows, budget, two tests, features, a metric"
    assert len(ids) == 2 * len(pictures)
    for picture in pictures:
        title, description = (picture["aria-labelledby"] or "").split()
        assert ids[title]
        assert len(ids[description]) > 10
    assert {a["class"] for a, _ in read.all("path") if "line" in (a.get("class") or "")} >= {
        "line trial",
        "line live",
    }
    assert "live: windows" in [text[: len(text) // 2] for _, text in read.all("text", "name")]


@pytest.mark.parametrize(("hours", "features"), [(100, 200), (3_000, 3)])
def test_many_features_or_windows_are_a_page_that_opens(hours: int, features: int) -> None:
    names = [f"f{i:03d}" for i in range(features)]
    strength = {name: i * 7 % features for i, name in enumerate(names)}
    windows = [window(h, {n: s * (1 + math.sin(h)) for n, s in strength.items()}) for h in range(hours)]
    text = page(replayed([*windows]))
    assert len(text) < 400_000
    read = Read(text)
    rows = [t for _, t in read.all("text", "name") if re.fullmatch(r"(f\d{3})\1", t)]
    strongest = [s.feature for s in sensitivities(windows, [])]
    assert [t[:4] for t in rows] == strongest[:FEATURES_MOST]
    assert {cell for _, cell in read.all("td")} >= set(names), "all of them are in the table"


def test_thinning_keeps_every_peak() -> None:
    span = Span(0.0, 100_000.0)
    points = [(float(t), math.sin(t) if t != 5_000 else 50.0) for t in range(0, 100_000, 3)]
    points[777] = (points[777][0], -9.0)
    kept = thinned(points, span)
    assert len(kept) <= 2 * (COLUMNS + 1)
    assert kept == sorted(kept)
    assert (max(v for _, v in kept if v), min(v for _, v in kept if v)) == (max(v for _, v in points), -9.0)


LENGTHS = [(0.5, 1), (5, 7), (30, 7), (216, 7), (2_160, 7), (9_600, 8), (96_000, 8)]


@pytest.mark.parametrize(("length_hours", "most"), LENGTHS)
def test_instants_are_round_and_few(length_hours: float, most: int) -> None:
    ticks = list(Span(START, START + length_hours * HOUR).ticks())
    assert len(ticks) <= most
    assert all(at % HOUR == 0 for at, _ in ticks)
    assert length_hours < 2 or len(ticks) >= 2


def test_a_replay_without_windows_is_a_page_too() -> None:
    assert "No window of a champion has closed." in page(replayed([]))
