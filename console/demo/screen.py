"""What a person sees: moving lines on a terminal, a plain line every few seconds elsewhere, at the end a table."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from driftloop.console.demo.report import POLICIES, Report
from driftloop.console.demo.watch import Tally
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

LINE_SECONDS = 5.0
"""Without a terminal: a line at most so often."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the demo is: event time, event days of all, records sent so far, and what the loop has said."""

    event_time: float
    day: int
    days: int
    records: int
    tally: Tally


class Screen:
    """``with Screen() as screen:`` stages first, then moments, then the report."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._began = time.monotonic()
        self._serving_since = 0.0
        self._records_before = 0
        self._line_at = 0.0
        self._said = ""
        self._live: Live | None = None

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self.end_live()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(f"{self._elapsed():>7}  {text}", markup=False, soft_wrap=True)

    def serving(self, records: int) -> None:
        """From now on moments come; ``records`` were sent before."""
        self._serving_since, self._records_before = time.monotonic(), records
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()

    def show(self, moment: Moment) -> None:
        """Tell a moment; news of the loop become lines that stay."""
        if moment.tally.said != self._said:
            self._said = moment.tally.said
            self.say(f"{_date(moment.event_time)}  {self._said}")
        if self._live:
            self._live.update(self._panel(moment))
        elif time.monotonic() > self._line_at + LINE_SECONDS:
            self._line_at = time.monotonic()
            self.say(self._line(moment))

    def end_live(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def lines(self, texts: list[str]) -> None:
        """Lines for people to copy from, as they are."""
        self._console.print()
        for text in texts:
            self._console.print(text, markup=False, soft_wrap=True)

    def table(self, report: Report) -> None:
        """Log loss by month and policy, and what it took."""
        self.end_live()
        print_report(self._console, report)

    def _line(self, moment: Moment) -> str:
        tally = moment.tally
        return (
            f"{_date(moment.event_time)}  day {moment.day}/{moment.days}  {self._rate(moment):,.0f} records/s  "
            f"{tally.windows} windows  {len(tally.opened)} incidents ({len(tally.open)} open)  "
            f"{tally.evaluations} decisions  {tally.runs} fits  {tally.version} serves"
        )

    def _panel(self, moment: Moment) -> RenderableType:
        tally = moment.tally
        grid = Table.grid(padding=(0, 2))
        grid.add_row("event date", Text(_date(moment.event_time), style="bold"), f"day {moment.day} of {moment.days}")
        grid.add_row("sent", f"{moment.records:,} records", f"{self._rate(moment):,.0f} a second")
        grid.add_row("windows", f"{tally.windows:,} measured", f"{tally.evaluations:,} decisions")
        grid.add_row("incidents", f"{len(tally.opened)} opened", f"{len(tally.open)} open")
        grid.add_row("models", f"{tally.version} serves", f"{tally.runs} fits, {tally.promotions} promoted")
        bar = Table.grid(padding=(0, 2))
        bar.add_row(ProgressBar(total=moment.days, completed=moment.day, width=50), self._elapsed())
        return Group(Text(""), grid, bar, Text("Ctrl-C stops everything", style="dim"))

    def _rate(self, moment: Moment) -> float:
        return (moment.records - self._records_before) / max(time.monotonic() - self._serving_since, 1e-3)

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s"


def print_report(console: Console, report: Report) -> None:
    """The table at the end."""
    table = Table(title="Log loss by month (less is better)", title_justify="left")
    table.add_column("2013")
    for policy in POLICIES:
        table.add_column(policy.replace("_", " "), justify="right")
    for month in report.log_loss["driftloop"]:
        figures = {policy: report.log_loss[policy][month] for policy in POLICIES}
        least = min(figures.values())
        row = [Text(f"{x:.4f}", style="bold" if x == least else "") for x in figures.values()]
        table.add_row(datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).strftime("%B"), *row)
    table.add_section()
    table.add_row("mean", *[f"{report.mean_log_loss[policy]:.4f}" for policy in POLICIES])
    console.print()
    console.print(table)
    for line in report.lines():
        console.print(line, markup=False, soft_wrap=True)


def _date(event_time: float) -> str:
    return datetime.fromtimestamp(event_time, UTC).strftime("%a %d %b %Y %H:%M")
