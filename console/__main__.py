"""The command line. Each command's work is in a file of its own, imported when it is called.

Exit codes: 0 done; 2 the operator can mend it (a setting, a file, an argument); 65 a record that cannot be read;
75 may work later; 3 `broker status` where no broker runs; 1 `status` or `doctor` found something wrong. The workers
have their own (streams/transport/exits.py).
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from driftloop.console.arguments import SOMETHING_WRONG, connect, utc
from driftloop.console.broker.commands import app as broker_app
from driftloop.console.dlq import app as dlq_app
from driftloop.console.incidents_command import incident, incidents
from driftloop.console.progress import say
from driftloop.console.quick_start import QuickGroup, with_what_is_named
from driftloop.console.reference_command import app as reference_app
from driftloop.console.replay.command import replay
from driftloop.console.silence_command import silence
from driftloop.schemas.errors import BadRecord, ConfigError, DriftloopError, Unavailable
from driftloop.streams.transport.watching.garbage import collect_garbage_hardly

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftloop.schemas.settings import Settings

TRAINING = "retrainer", "up", "demo"
"""These train models, or start what does: for long, and on all processors."""
EXIT_CODES: dict[type[DriftloopError], int] = {ConfigError: 2, BadRecord: 65, Unavailable: 75}

app = typer.Typer(
    name="driftloop",
    cls=QuickGroup,
    help="The loop around a live model over Kafka: drift, retraining, proof, publication.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
topics_app = typer.Typer(help="Our topics, as schemas/topics.py lists them.", no_args_is_help=True)
monitor_app = typer.Typer(help="What is watched of a model.", no_args_is_help=True)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"driftloop {version('driftloop')}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """The loop around a live model over Kafka: drift, retraining, proof, publication."""


app.add_typer(broker_app, name="broker")
app.add_typer(topics_app, name="topics")
app.add_typer(monitor_app, name="monitor")
app.add_typer(reference_app, name="reference")
app.add_typer(dlq_app, name="dlq")
app.command()(silence)
app.command()(incidents)
app.command()(incident)


Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        show_default=False,
        help="Run so many worker processes, and start again what crashes (default: this one).",
    ),
]
WhileStdin = Annotated[bool, typer.Option("--while-stdin", hidden=True)]


@topics_app.command("apply")
def topics_apply(
    fix: Annotated[bool, typer.Option("--fix", help="Change what differs, where that is harmless.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the cluster to answer.")] = 5.0,
) -> None:
    """Create the topics that are missing and name what differs from the table. Exit code 2: something differs."""
    from driftloop.console.topics_report import apply_and_report

    apply_and_report(connect(), fix, wait, print)


@topics_app.command("show")
def topics_show() -> None:
    """The table of topics and how the cluster has them."""
    from driftloop.console.topics_report import show

    for line in show(connect()):
        print(line)


@monitor_app.command("apply")
def monitor_apply(file: Annotated[Path, typer.Argument(help="A monitor file (TOML).")]) -> None:
    """Compile and check a monitor file, and make it the live specification of its model."""
    from driftloop.console.monitor import apply_monitor

    found, changed, unfit = apply_monitor(connect(), file)
    what = "is live now" if changed else "was live already, nothing is written"
    print(f"{found.model}: specification {found.spec} {what}")
    if not found.has_bins:
        print(f"bins are not known yet: `driftloop reference build {found.model}` finds them in its predictions")
    elif unfit:
        print(f"reference {unfit} was counted on other bins: windows are UNKNOWN and no drift is told")
        print(f"until `driftloop reference build {found.model}` has counted on these")


@app.command()
def cat(
    topic: Annotated[str, typer.Argument(help="Short or full name, for example windows.")],
    from_beginning: Annotated[bool, typer.Option(help="Begin with the oldest record, not with the next one.")] = True,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Stop after so many records.")] = None,
    headers: Annotated[bool, typer.Option("--headers", help="Show the records' headers too.")] = False,
) -> None:
    """Print a topic of ours as JSON lines, up to its end as of now."""
    from driftloop.console.cat import cat as lines

    try:
        for line in lines(
            connect(), topic, from_beginning=from_beginning, follow=follow, limit=limit, headers=headers
        ):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # `driftloop cat windows | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command()
def retrain(
    model: Annotated[str, typer.Argument(help="Model id.")],
    author: Annotated[str, typer.Option(help="Who orders it.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    as_of: Annotated[
        datetime | None, typer.Option(help="Use labels known until then (UTC); default: all known now.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also during an outage or a data quality incident.")] = False,
) -> None:
    """Order a training run; the retrainer records the order and what became of it in the decisions topic."""
    from driftloop.console.retrain import order_retrain

    order_retrain(connect(), model, author, reason, utc(as_of), force)
    print(f"ordered; watch `driftloop cat decisions --follow` for what becomes of it ({model})")


@app.command()
def observer(workers: Workers = None, while_stdin: WhileStdin = False) -> None:
    """Run the observer here: joins predictions with ground truth and folds them into panes."""
    from driftloop.streams.observer.worker import main as run

    _work("observer", run, workers, while_stdin)


@app.command()
def judge(workers: Workers = None, while_stdin: WhileStdin = False) -> None:
    """Run the judge here: merges panes, closes windows, tests for drift, keeps incidents."""
    from driftloop.streams.judge.worker import main as run

    _work("judge", run, workers, while_stdin)


@app.command()
def retrainer() -> None:
    """Run the retrainer here: decides, trains, proves, publishes."""
    from driftloop.retrainer.service import main as run

    raise typer.Exit(run(connect()))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one JSON object.")] = False,
) -> None:
    """State, lag and owner of every partition of observer and judge; the retrainer's group.

    Works while they run and while they do not. Exit code 0: nothing is wrong; 1: something is (records wait and
    nobody holds their partition, no progress for a minute, a topic missing or truncated, a foreign state), named at
    the end; 75: the cluster does not answer. Lag counts records behind what the state has absorbed.
    """
    from driftloop.console import status_report
    from driftloop.console.status_reading import read_status

    found = read_status(connect())
    for line in [status_report.as_json(found)] if as_json else status_report.lines(found):
        print(line)
    if any(problem for one in found for problem in one.problems()):
        raise typer.Exit(SOMETHING_WRONG)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: a list of findings.")] = False,
) -> None:
    """Examine a deployment from outside, and say of each check: ok, warning or wrong, with the way out.

    Exit code 0: nothing is wrong (warnings may be); 1: something is; 75: the cluster does not answer.
    """
    import json

    from driftloop.console.doctor import WRONG, examine
    from driftloop.console.doctor_reading import read_facts

    found = examine(read_facts(connect()))
    if as_json:
        print(json.dumps([one._asdict() for one in found], indent=2))
    else:
        for one in found:
            print(f"{one.state:<8} {one.check:<13} {one.message}")
            if one.way_out:
                print(f"{'':<22} -> {one.way_out}")
    if any(one.state == WRONG for one in found):
        raise typer.Exit(SOMETHING_WRONG)


@app.command()
def rewind(
    service: Annotated[str, typer.Argument(help="observer.")],
    to: Annotated[str, typer.Option("--to", help="earliest, an ISO time (UTC), or '36h ago', '2d': of event time.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Although workers run: they end as FENCED (70).")] = False,
) -> None:
    """Set a service back: what it has told of the time from then on is told anew, and replaces what was told.

    Stop its workers first. `kafka-consumer-groups --reset-offsets` on the stopped group does the same for the offsets
    it names, when the workers start again.
    """
    from driftloop.console.rewind import rewind as set_back

    def confirmed() -> bool:
        return yes or typer.confirm("go on?")

    if not set_back(connect(), service, to, force, print, confirmed):
        print("nothing was done")


app.command()(replay)


@app.command()
def up() -> None:
    """Start a broker if there is none, create the topics, run observer, judge and retrainer in the background."""
    from driftloop.console.services import up as start_all

    start_all(_environment(), say)


@app.command()
def down() -> None:
    """Stop what `up` has started; all data stays."""
    from driftloop.console.services import down as stop_all

    stop_all(_environment(), say)


@app.command()
def demo(
    report: Annotated[Path | None, typer.Option(help="Write the figures to this file (JSON).")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Stop after so many event days.")] = None,
) -> None:
    """The whole loop on a year of flights, on a broker of its own."""
    from driftloop.console.demo.run import main as run

    raise typer.Exit(run(_environment(), report, days))


def _work(service: str, run: Callable[[Settings], int], workers: int | None, while_stdin: bool) -> None:
    """Be a worker, or the parent of ``workers`` of them."""
    from driftloop.console.workers import run_workers, stop_with_stdin

    if workers:
        raise typer.Exit(run_workers(connect(), service, workers, say))
    if while_stdin:
        stop_with_stdin()
    raise typer.Exit(run(connect()))


def _environment() -> Settings:
    from driftloop.schemas.settings import Settings

    return Settings.from_environment(os.environ)


def main() -> None:
    """Run one command; an error of ours is told as what happened and the way out, never as a traceback."""
    if not set(TRAINING) & set(sys.argv[1:2]):
        collect_garbage_hardly()
        # Products of matrices are small everywhere else. The threads of OpenBLAS wait by spinning: with two of them
        # importing numpy costs .04 s of CPU more, and in a worker they take processors that others need.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        with_what_is_named(app, sys.argv[1:])()
    except DriftloopError as error:
        print(f"driftloop: {error}", file=sys.stderr)
        sys.exit(EXIT_CODES.get(type(error), 1))


if __name__ == "__main__":
    main()
