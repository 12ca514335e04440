"""`driftloop dlq`: what could not be read, and its way back. The command line; the work is in dlq_*.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from driftloop.schemas.settings import Settings

app = typer.Typer(help="Records that could not be read, and their way back.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="Only this reason (docs/dead-letters.md lists them).")]
Since = Annotated[str, typer.Option(help='Only what was refused since then: a time (UTC), or "6 h", "2 d" ago.')]
Topic = Annotated[str, typer.Option(help="Only records of this topic of ours, by its short or its full name.")]


@app.command("list")
def list_letters(
    reason: Reason = "",
    since: Since = "",
    topic: Topic = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="How many of the latest to show.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Count dead letters by reason, topic and service, and show the latest with their ids."""
    from driftloop.console.dlq_list import list_lines

    for line in list_lines(_settings(), reason, since, topic, limit, json):
        print(line)


@app.command()
def show(
    letter: Annotated[str, typer.Argument(help="As `dlq list` prints it: partition:offset of the dead letter.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object, with the whole value.")] = False,
) -> None:
    """Show one dead letter: where it comes from, what is wrong with it and where, its headers and bytes."""
    from driftloop.console.dlq_show import show_lines

    for line in show_lines(_settings(), letter, json):
        print(line)


@app.command()
def replay(
    reason: Reason = "",
    since: Since = "",
    topic: Topic = "",
    id_: Annotated[list[str] | None, typer.Option("--id", help="Only this letter; may be given often.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what has been replayed before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Put the records back onto their topics, as they were: once their cause is mended. Each only once.

    Exit code 75: some could not be put back; the rest was.
    """
    from driftloop.console.dlq_replay import Wish, replay_letters

    wish = Wish(reason, since, topic, tuple(id_ or ()), again)
    asked = None if yes else _asked
    if replay_letters(_settings(), wish, dry_run, asked, print):
        raise typer.Exit(75)


def _asked(question: str) -> bool:
    return typer.confirm(question)


def _settings() -> Settings:
    from driftloop.console.connection import connect

    return connect()
