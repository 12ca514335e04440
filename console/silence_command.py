"""The command line of `driftloop silence`; its work is in silence.py, imported when it is called."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer


def silence(
    model: Annotated[str, typer.Argument(help="Model id.")],
    author: Annotated[str, typer.Option(help="Whose word it is.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    for_: Annotated[str, typer.Option("--for", help="How long: 90m, 6h, 2d.")] = "",
    until: Annotated[datetime | None, typer.Option(help="Until when (event time, UTC).")] = None,
    from_: Annotated[
        datetime | None, typer.Option("--from", help="Since when (event time, UTC); default: now.")
    ] = None,
    kind: Annotated[str, typer.Option(help="Only performance, data_quality or drift.")] = "",
    feature: Annotated[str, typer.Option(help="Only what is about this feature.")] = "",
    maintenance: Annotated[
        bool, typer.Option("--maintenance", help="What is predicted in it is no evidence either.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="Those that stand or are to come.")] = False,
    end: Annotated[str, typer.Option(help="End the silence with this id now.")] = "",
) -> None:
    """Let nobody be called for a while: all is found and recorded, told as silenced, and starts no training.

    What still stands when the silence is over is told again. Times are event time; now is the newest event's.
    """
    from driftloop.console import silence as work
    from driftloop.console.connection import connect
    from driftloop.schemas.headers import rfc3339

    if list_:
        for line in work.lines(connect(), model):
            print(line)
    elif end:
        work.end(connect(), model, end, author, reason)
        print(f"{end} ends as soon as the judge has read it")
    else:
        since, to = (None if moment is None else moment.replace(tzinfo=UTC).timestamp() for moment in (from_, until))
        wish = work.Wish(author, reason, since, to, for_, kind, feature, maintenance)
        found = work.silence(connect(), model, wish)
        print(f"{found.identity} from {rfc3339(found.begins_at)} to {rfc3339(found.ends_at)}, as soon as it is read")
        print(f"`driftloop silence {model} --list` shows it, --end {found.identity} ends it")
