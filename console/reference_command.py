"""`driftloop reference`: its arguments. The work is in reference.py, imported when it is called."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from driftloop.console.arguments import connect, utc
from driftloop.schemas.errors import ConfigError

if TYPE_CHECKING:
    from driftloop.console.reference import Asked, RowFile

app = typer.Typer(help="What a model is compared with.", no_args_is_help=True)


@app.callback()
def together() -> None:
    """What a model is compared with."""


@app.command("build")
def build(
    model: Annotated[str, typer.Argument(help="Model id.")],
    from_: Annotated[datetime | None, typer.Option("--from", help="First event time (UTC).")] = None,
    to: Annotated[datetime | None, typer.Option("--to", help="End of event time, not included (UTC).")] = None,
    role: Annotated[str | None, typer.Option(help="Only predictions of this role, for example history.")] = None,
    first: Annotated[int | None, typer.Option(min=1, help="Only the first N predictions in event time.")] = None,
    offsets: Annotated[
        str | None, typer.Option(help="Only predictions in these offsets: 0:100-5000,1:0-4000 (ends included).")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Rows of this .csv, .parquet or .avro, not the topic's.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="FEATURE=COLUMN of the file, where it is not named as the feature.")
    ] = None,
    score: Annotated[str | None, typer.Option(help="Column of the score (default score; P for P_<class>).")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the truth (default label).")] = None,
    predicted: Annotated[str | None, typer.Option(help="Column of the decision (default predicted).")] = None,
    event_time: Annotated[str | None, typer.Option(help="Column of the event time (default event_time).")] = None,
    at: Annotated[datetime | None, typer.Option(help="Event time of all rows (UTC), if the file has none.")] = None,
    season_unknown: Annotated[
        bool, typer.Option("--season-unknown", help="Publish although the rows are too few to learn the season.")
    ] = False,
) -> None:
    """Find bins and baselines in the predictions on the topic, with the truths known for them, and publish both.

    Or in the rows of a file: one column a feature, and event_time, score, predicted, label (docs/reference.md).
    """
    from driftloop.console.reference import Asked, Selection, offset_ranges, parse_columns
    from driftloop.console.reference import build as build_reference

    selection = Selection(utc(from_), utc(to), role, first, offset_ranges(offsets) if offsets else ())
    asked = Asked(event_time, score, predicted, label, parse_columns(column or []))
    for line in build_reference(connect(), model, selection, _row_file(file, asked, utc(at)), season_unknown):
        print(line)


def _row_file(file: Path | None, asked: Asked, at: float | None) -> RowFile | None:
    """ConfigError: options of a file, and no file."""
    from driftloop.console.reference import Asked, RowFile

    if file is None and (asked != Asked() or at is not None):
        raise ConfigError(
            "--column, --score, --label, --predicted, --event-time and --at are of a file", "--file FILE"
        )
    return None if file is None else RowFile(file, asked, at)
