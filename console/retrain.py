"""`driftloop retrain MODEL`: a person's order to the retrainer, with who and why."""

from __future__ import annotations

from driftloop.console.models import find_specification, read_catalogue
from driftloop.console.publishing import Publication, publish
from driftloop.console.reading import read_tails
from driftloop.schemas.batches.columns import read_truths
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import CommandGiven
from driftloop.schemas.settings import Settings

TAIL_RECORDS = 1_000


def order_retrain(
    settings: Settings, model: str, author: str, reason: str, as_of: float | None = None, force: bool = False
) -> CommandGiven:
    """Write the command. ``as_of``: labels known until then are used; None: all that are known now."""
    catalogue = read_catalogue(settings)
    find_specification(catalogue, model)
    command = CommandGiven(
        model=model,
        command="retrain",
        author=author,
        reason=reason,
        as_of=newest_truth(settings, model, catalogue.layouts) if as_of is None else as_of,
        arguments={"force": "yes"} if force else {},
    )
    publish(settings, [Publication("commands", model, command)])
    return command


def newest_truth(settings: Settings, model: str, layouts: Layouts) -> float:
    """Event time of the latest truth among the last of every partition: "now" on the model's own clock.

    The clock of this machine would be wrong wherever events are replayed. ConfigError: the model has no truth yet.
    """
    values = [message.value() for message in read_tails(settings, settings.topic("ground-truth"), TAIL_RECORDS)]
    found = read_truths(values, layouts).columns
    times = [float(part.event_time.max()) for part in found if part.model == model and len(part.event_time)]
    if not times:
        raise ConfigError(
            f"there is no ground truth of {model} among the last {TAIL_RECORDS} records of each partition",
            "send some (client.Producer.observed), or say as of when with --as-of",
        )
    return max(times)
