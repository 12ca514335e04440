"""The command lines of `driftloop incidents` and `driftloop incident`; their work is in incidents.py."""

from __future__ import annotations

from typing import Annotated

import typer
from driftloop.console.arguments import connect

Model = Annotated[str, typer.Argument(help="Model id.")]


def incidents(model: Model) -> None:
    """What was opened, what people say of it, and how many false ones the budget allows."""
    from driftloop.console import incidents as work

    for line in work.lines(model, work.watched(connect(), model)):
        print(line)


def incident(
    model: Model,
    identity: Annotated[str, typer.Argument(help="Id of the incident, or how it begins.")],
    real: Annotated[bool | None, typer.Option("--real/--false", help="Something was wrong, or nothing was.")] = None,
    author: Annotated[str, typer.Option(help="Whose word it is.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Say of an incident that it was real, or a false alarm. The last word counts, and `incidents` shows it.

    It changes nothing that is told or trained: the budget of the monitor is held against it.
    """
    from driftloop.console import incidents as work
    from driftloop.schemas.errors import ConfigError
    from driftloop.schemas.verdicts import EXAMPLE

    if real is None:
        raise ConfigError("was it --real or --false?", EXAMPLE)
    found = work.judge(connect(), model, identity, real, author, reason)
    print(f"{found.incident[: work.ID_DIGITS]} is {'real' if real else 'a false alarm'}, says {author}")
    print(f"`driftloop incidents {model}` shows it")
