"""`driftloop replay`: its arguments. The work is in run.py, imported when it is called."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from driftloop.console.arguments import SOMETHING_WRONG, connect, utc
from driftloop.console.progress import Bar
from driftloop.schemas.errors import ConfigError

if TYPE_CHECKING:
    from driftloop.console.replay.past import TopicsPast
    from driftloop.console.replay.rows_past import RowsPast
    from driftloop.console.replay.saved import SavedPast


def replay(
    model: Annotated[str, typer.Argument(help="Model id.")],
    spec: Annotated[Path | None, typer.Option(help="A monitor file to try (default: what is live).")] = None,
    from_: Annotated[datetime | None, typer.Option("--from", help="Windows that begin here or later (UTC).")] = None,
    to: Annotated[datetime | None, typer.Option("--to", help="Windows that begin before (UTC).")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Rows (.csv, .parquet, .avro) to compare with (default: the live reference).")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Write all that is read to this file, for --records.")] = None,
    records: Annotated[
        Path | None,
        typer.Option(help="Read such a file, or rows (.csv, .parquet, .avro), not the topics: no broker is needed."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a page (HTML) that shows all of it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one JSON object.")] = False,
) -> None:
    """What observer, judge and policy would tell of the topics' history; nothing is written to a topic.

    With the live specification it is compared, to the byte, with what was told live: "identical" and the hash, or
    the first difference. Exit code 1: there is one.
    """
    import gc
    import json
    import math
    import os

    from driftloop.console.replay import report
    from driftloop.console.replay.run import replay as fold_again
    from driftloop.schemas.settings import Settings

    first, end = utc(from_), utc(to)
    span = (-math.inf if first is None else first, math.inf if end is None else end)
    _check(span, plot)
    gc.freeze()  # what was imported stays
    with _past(model, records, save, spec) as past, Bar() as bar:
        modules = Settings.from_environment(os.environ).detectors
        found = fold_again(past, model, spec, reference, span, bar.show, modules)
    for line in [json.dumps(report.as_json(found), indent=2)] if as_json else report.lines(found):
        print(line)
    if plot is not None:
        from driftloop.console.plot.page import write_page

        write_page(plot, found)
    if found.verdict is not None and found.verdict.difference:
        raise typer.Exit(SOMETHING_WRONG)


def _check(span: tuple[float, float], plot: Path | None) -> None:
    """ConfigError: a wish that cannot come true, before minutes of work."""
    if span[0] >= span[1]:
        raise ConfigError("no time lies between --from and --to", "--to is not included, and lies behind --from")
    if plot is not None and (plot.is_dir() or not plot.parent.is_dir()):
        what = "it is a folder" if plot.is_dir() else f"there is no folder {plot.parent}"
        raise ConfigError(f"{plot} cannot be written: {what}", "name a file in a folder that is there")


def _past(
    model: str, records: Path | None, save: Path | None, spec: Path | None
) -> TopicsPast | SavedPast | RowsPast:
    """ConfigError: both files; rows without a monitor. Each kind imports what it needs: a file no client of Kafka."""
    if records is None:
        from driftloop.console.replay.past import TopicsPast

        return TopicsPast(connect(), model, save)
    if save is not None:
        raise ConfigError("--save writes what topics hold, and --records reads none", "leave out one of them")
    from driftloop.console.replay.saved import SavedPast, is_saved

    if is_saved(records):
        return SavedPast(records, model)
    if spec is None:
        raise ConfigError(
            f"rows of {records} say nothing of a monitor", f"name one: replay {model} --spec {model}.toml"
        )
    from driftloop.console.replay.rows_past import RowsPast

    return RowsPast(records, model)
